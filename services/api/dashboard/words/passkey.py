"""Sentences of the link dialog's help with a passkey."""

WORDS: dict[str, tuple[str, str]] = {
    "passkey.title": ("WhatsApp asks for your passkey", "WhatsApp meminta passkey Anda"),
    "passkey.lead": (
        "This account is guarded by a passkey, which answers on WhatsApp's own page alone. "
        "You need a computer, and a minute:",
        "Akun ini dijaga passkey, yang hanya menjawab di halaman WhatsApp sendiri. Perlu komputer, dan semenit:",
    ),
    "passkey.open": ("Open this page in a new tab; no need to sign in there:", "Buka di tab baru; tidak perlu masuk:"),
    "passkey.console": (
        "On that page press F12, choose “Console”, paste this line there and press Enter. "
        "The browser may want you to type “allow pasting” first.",
        "Di halaman itu tekan F12, pilih “Console”, tempel baris ini, lalu tekan Enter. "
        "Peramban mungkin meminta Anda mengetik “allow pasting” dahulu.",
    ),
    "passkey.copy": ("Copy the line", "Salin baris"),
    "passkey.confirm": (
        "Confirm with your passkey. If it is on the phone, let the browser show a code and scan it.",
        "Konfirmasi dengan passkey. Jika ada di ponsel, minta peramban menampilkan kode lalu pindai.",
    ),
    "passkey.paste": ("Copy the answer that appears, and paste it here:", "Salin jawaban yang muncul, tempel di sini:"),
    "passkey.answer": ("The passkey's answer", "Jawaban passkey"),
    "passkey.hand_over": ("Hand it to WhatsApp", "Serahkan ke WhatsApp"),
    "passkey.safe": (
        "The line holds no secret: it asks your passkey to sign what WhatsApp has sent for this device.",
        "Baris itu tidak berisi rahasia: hanya meminta passkey menandatangani kiriman WhatsApp untuk perangkat ini.",
    ),
    "passkey.refused": (
        "WhatsApp did not take that answer. Paste the line once more, with the passkey of the phone that has scanned.",
        "WhatsApp menolak jawaban itu. Tempel baris sekali lagi, dengan passkey ponsel yang memindai.",
    ),
    "passkey.checking": ("WhatsApp looks at the answer …", "WhatsApp memeriksa jawaban …"),
    "passkey.compare": ("Does the phone show the same code?", "Apakah ponsel menampilkan kode yang sama?"),
    "passkey.same": ("They are the same", "Kodenya sama"),
    "passkey.again": ("Begin again with a new code", "Mulai lagi dengan kode baru"),
    "js.passkey.left": ("{minutes} left", "Sisa {minutes}"),
    "js.passkey.no_answer": (
        "This is not the whole answer: copy all of it, from the first { to the last }.",
        "Ini bukan jawaban lengkap: salin semuanya, dari { pertama sampai } terakhir.",
    ),
    "js.passkey.prompt": ("Copy this answer, and paste it into Merpati.", "Salin jawaban ini, tempel di Merpati."),
    "js.passkey.over": ("the passkey has not answered in time", "passkey tidak menjawab tepat waktu"),
}
