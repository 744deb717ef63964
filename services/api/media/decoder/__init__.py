"""The program that decodes what people send, in a process of its own, where a hostile file harms nobody.

    python -m services.api.media.decoder picture|convert|measure [mimetype]  <file  >answer

The answer is a line of JSON, and behind it the bytes that were made. The program opens no file and no socket.
"""
