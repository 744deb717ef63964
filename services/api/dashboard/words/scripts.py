"""Sentences that the pages' scripts say."""

WORDS: dict[str, tuple[str, str]] = {
    "js.close": ("Close", "Tutup"),
    "js.unreachable": (
        "The server cannot be reached. Check the connection and try again.",
        "Server tidak dapat dihubungi. Periksa koneksi lalu coba lagi.",
    ),
    "js.copied": ("Copied.", "Disalin."),
    "js.not_copied": (
        "The browser does not allow copying here; select the text and copy it.",
        "Peramban tidak mengizinkan penyalinan di sini; pilih teksnya lalu salin.",
    ),
    "js.link.renews": ("A new code in {seconds} s", "Kode baru dalam {seconds} d"),
    "js.link.linked": ("{name} is linked", "{name} sudah tertaut"),
    "js.link.ended": ("No more codes come: {reason}.", "Tidak ada kode lagi: {reason}."),
    "js.link.nobody": ("nobody has scanned one", "belum ada yang memindai"),
    "js.link.valid": ("Good for {seconds} s", "Berlaku {seconds} d"),
    "js.link.over": ("This code is over; ask for a new one.", "Kode ini sudah habis; minta yang baru."),
    "js.key.shown": ("Hide the key", "Sembunyikan kunci"),
    "js.key.hidden": ("Show the key", "Tampilkan kunci"),
    "js.chart.sent": ("Sent", "Terkirim"),
    "js.chart.delivered": ("Delivered", "Sampai"),
    "js.chart.read": ("Read", "Dibaca"),
    "js.chart.failed": ("Failed", "Gagal"),
    "js.chart.received": ("Received", "Diterima"),
    "js.chart.time": ("Time", "Waktu"),
    "js.play.uploading": ("Uploading {name}: {percent} %", "Mengunggah {name}: {percent} %"),
    "js.play.accepted": ("Accepted", "Diterima"),
    "js.play.no_file": (
        "Choose a file, an address, or paste the content.",
        "Pilih berkas, alamat, atau tempel isinya.",
    ),
    "js.play.lines": ("Give at least two answers, one on each line.", "Isi minimal dua jawaban, satu tiap baris."),
    "js.play.place": ("Latitude and longitude are numbers.", "Lintang dan bujur berupa angka."),
    "js.play.text_here": ("your text", "teks Anda"),
    "js.play.phone_here": ("6281234567890", "6281234567890"),
}
