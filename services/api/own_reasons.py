"""The reasons that the edge itself gives in English, in Indonesian: the second half of a refusal's sentence."""

from __future__ import annotations

OF_ACCESS: dict[str, str] = {
    "this user belongs to no customer": "pengguna ini tidak terhubung dengan pelanggan mana pun",
    "a platform user names the customer with ?customer=": "pengguna platform menyebut pelanggannya dengan ?customer=",
    "support may only read": "peran dukungan hanya boleh membaca",
    "it is for the platform's own users": "ini hanya untuk pengguna platform",
    "it is for SUPER_ADMIN": "ini hanya untuk SUPER_ADMIN",
    "this key is not to be used from this address": "key ini tidak boleh dipakai dari alamat ini",
    "it needs the scope {}": "diperlukan scope {}",
    "this key is for some sessions only": "key ini hanya untuk sesi tertentu",
    "this key is for some sessions only: name those that the webhook is for": (
        "key ini hanya untuk sesi tertentu: sebutkan sesi untuk webhook ini"
    ),
    "this API key is for certain sessions only": "API key ini hanya untuk sesi tertentu",
    "an owner of the account must be signed in": "pemilik akun harus masuk terlebih dahulu",
    "X-CSRF-Token is not of this sign-in; load the page anew": (
        "X-CSRF-Token bukan dari sesi masuk ini; muat ulang halaman"
    ),
    "this form is sent from its own page": "formulir ini hanya dikirim dari halamannya sendiri",
    "an account has {} keys at most; delete one first": "satu akun memiliki paling banyak {} key; hapus satu dulu",
    "it lies between 1 and {}, the limit of this deployment": "nilainya antara 1 dan {}, batas instalasi ini",
    "a key for some sessions cannot have the scope admin": "key untuk sesi tertentu tidak dapat memiliki scope admin",
    "the primary key has every scope and session, and no end": (
        "key utama memiliki semua scope dan sesi, dan tidak berakhir"
    ),
    "the primary key is only replaced, by POST /apikey": "key utama hanya dapat diganti, dengan POST /apikey",
    "{} is no IP address and no network in CIDR notation": "{} bukan alamat IP dan bukan jaringan dalam notasi CIDR",
    "this is not the present password": "kata sandi yang sekarang salah",
    "it is the present one": "sama dengan yang sekarang",
    "a platform user opens a stream with a ticket": "pengguna platform membuka stream dengan tiket",
}

OF_ACCOUNTS: dict[str, str] = {
    "it has 1 to {} printable characters": "panjangnya 1 sampai {} karakter yang dapat dicetak",
    "it has 3 to 64 letters, digits and . _ @ + -": "panjangnya 3 sampai 64: huruf, angka, dan . _ @ + -",
    "it is the name of a time zone, such as Asia/Jakarta": "harus nama zona waktu, misalnya Asia/Jakarta",
    "nothing to change was given": "tidak ada yang diminta untuk diubah",
    "sign-up is closed here; ask the operator for an account": (
        "pendaftaran ditutup di sini; mintalah akun kepada operator"
    ),
    "this is no e-mail address": "ini bukan alamat email",
    "6 to 15 digits, with or without a leading +": "6 sampai 15 angka, dengan atau tanpa + di depan",
    "{} users are the most that a customer may have": "satu pelanggan memiliki paling banyak {} pengguna",
    "this user name is taken": "nama pengguna ini sudah dipakai",
    "this e-mail address is taken": "alamat email ini sudah dipakai",
    "the account would be left without an owner who can sign in": (
        "akun akan ditinggalkan tanpa pemilik yang dapat masuk"
    ),
    "you cannot take away your own rights": "Anda tidak dapat mencabut hak Anda sendiri",
    "you cannot delete your own account": "Anda tidak dapat menghapus akun Anda sendiri",
}

OF_BILLING: dict[str, str] = {
    "the customer is suspended": "pelanggan ini ditangguhkan",
    "it would end after the year 9999": "akhirnya akan melewati tahun 9999",
    "the payment is not pending any more": "pembayaran ini tidak lagi menunggu",
    "it has no end": "tidak memiliki akhir",
    "it is {term}": "statusnya {}",
    "another subscription follows it; extend that one": "ada langganan sesudahnya; perpanjang yang itu",
    "it is not later than the present end": "tidak lebih lambat dari akhir yang sekarang",
    "it is cancelled already": "sudah dibatalkan",
    "it is over already": "sudah berakhir",
    "this plan is no longer sold": "paket ini tidak dijual lagi",
    "{} purchases wait for their payment already": "sudah ada {} pembelian yang menunggu pembayaran",
    "it holds 1 to 255 printable ASCII characters without spaces": (
        "harus 1 sampai 255 karakter ASCII yang dapat dicetak, tanpa spasi"
    ),
    "it is above zero, or, of a correction, below": "harus di atas nol, atau, untuk koreksi, di bawahnya",
    "only a top-up is paid for": "hanya isi ulang yang dibayar",
    "either cycles or endsAt says how long": "pilih salah satu untuk lamanya: cycles atau endsAt",
    "it is SUCCESS, PENDING, FAILED or CANCELLED": "harus SUCCESS, PENDING, FAILED, atau CANCELLED",
    "it is SUCCESS, PENDING, FAILED or CANCELLED, or paid, pending or failed": (
        "harus SUCCESS, PENDING, FAILED, atau CANCELLED, atau `paid`, `pending`, atau `failed`"
    ),
}

OF_VALUES: dict[str, str] = {
    "see details": "lihat details",
    "it is beyond the calendar": "di luar kalender",
    "it has passed": "sudah lewat",
    "it is not a cursor of this list": "bukan cursor daftar ini",
    "not a cursor of this list": "bukan cursor daftar ini",
    "it is not a cursor of this stream": "bukan cursor stream ini",
    "it is not a page of this list": "bukan halaman daftar ini",
    "it is no place in this chat": "bukan tempat dalam chat ini",
    "it is a day such as 2026-11-20": "harus tanggal, misalnya 2026-11-20",
    "it is a date or a time, such as 2030-01-31": "harus tanggal atau waktu, misalnya 2030-01-31",
    "it is a date such as 2026-01-31 or an ISO-8601 time": (
        "harus tanggal, misalnya 2026-01-31, atau waktu menurut ISO 8601"
    ),
    "it is true or false": "harus true atau false",
    "it is a number of seconds": "harus jumlah detik",
    "it is missing": "belum diisi",
    "it is empty": "kosong",
    "it is one of {}": "harus salah satu dari {}",
    "{reason}; it is one of {}": "{}; harus salah satu dari {}",
    "choose one of {}": "pilih salah satu dari {}",
    "it begins with one of {}": "harus diawali salah satu dari {}",
    "this {parameter} is needed": "{} ini wajib diisi",
    "a JSON body is needed": "isi JSON wajib ada",
    "a field is not percent-encoded UTF-8": "ada kolom yang bukan UTF-8 dalam percent-encoding",
    "the path is not percent-encoded UTF-8": "alamatnya bukan UTF-8 dalam percent-encoding",
    "a form has at most {} fields": "satu formulir memiliki paling banyak {} kolom",
    "it lies before `to`, by at most {} days for each {term}": (
        "harus sebelum `to`, paling banyak {} hari untuk tiap {}"
    ),
    "only the newest {} are paged through by number": "hanya {} yang terbaru yang dapat dibuka per nomor halaman",
    "it lists up to 100 types such as message.sent or session.*, separated by commas": (
        "harus daftar paling banyak 100 jenis seperti message.sent atau session.*, dipisahkan koma"
    ),
    "{} is no type and no pattern of types, such as message.* or session.qr": (
        "{} bukan jenis dan bukan pola jenis, misalnya message.* atau session.qr"
    ),
    "it is neither a time nor a cursor, as frames and deliveries carry it": (
        "bukan waktu dan bukan cursor seperti pada frame dan kiriman"
    ),
    "the log does not reach there; the earliest cursor is {}": (
        "catatan tidak menjangkau sejauh itu; cursor paling awal adalah {}"
    ),
    "the webhook is disabled": "webhook dinonaktifkan",
}

OF_MEDIA: dict[str, str] = {
    "the address is refused: {reason}": "alamatnya ditolak: {}",
    "it could not be fetched: {reason}": "tidak dapat diambil: {}",
    "it has more than {} characters": "lebih dari {} karakter",
    "it is not a URL": "bukan URL",
    "it does not begin with http:// or https://": "tidak diawali http:// atau https://",
    "it holds a user name or a password": "berisi nama pengguna atau kata sandi",
    "it names no host": "tidak menyebut host",
    "it has no address": "tidak memiliki alamat",
    "an address with a zone is not taken": "alamat dengan zona tidak diterima",
    "it is not an IP address of the usual form": "bukan alamat IP dalam bentuk yang lazim",
    "it is an address for a special purpose": "alamat untuk keperluan khusus",
    "it is not a public IPv6 address": "bukan alamat IPv6 publik",
    "it lies on this machine or in a private network, which the operator allows by MERPATI_PRIVATE_TARGETS=1": (
        "berada di mesin ini atau di jaringan privat, yang diizinkan operator dengan MERPATI_PRIVATE_TARGETS=1"
    ),
    "it lies on this machine or in a private network, which the operator allows by MERPATI_PROXY_ALLOWED": (
        "berada di mesin ini atau di jaringan privat, yang diizinkan operator dengan MERPATI_PROXY_ALLOWED"
    ),
    "it holds characters that no host has": "berisi karakter yang tidak ada dalam nama host",
    "it redirects to what is no address": "mengalihkan ke sesuatu yang bukan alamat",
    "it redirects more than {} times": "mengalihkan lebih dari {} kali",
    "the server answered {}": "server menjawab {}",
    "the server compressed it, which it was not asked to": "server mengompresinya tanpa diminta",
    "the server cannot be reached, or the connection was lost": "server tidak terjangkau, atau koneksinya terputus",
    "the server cannot be reached: {reason}": "server tidak terjangkau: {}",
    "the server does not speak HTTP as it should": "server tidak memakai HTTP sebagaimana mestinya",
    "its host is not known": "host-nya tidak dikenal",
    "the name of its host could not be looked up": "nama host-nya tidak dapat dicari",
    "no connection was made within {} s": "tidak tersambung dalam {} detik",
    "it is a socket of this machine": "itu soket mesin ini",
    "it took longer than {} s": "lebih lama dari {} detik",
    "a medium is uploaded as multipart/form-data": "media diunggah sebagai multipart/form-data",
    "the body is not a multipart form": "isinya bukan formulir multipart",
    "the multipart form ends too early": "formulir multipart terpotong",
    "the multipart form names no boundary": "formulir multipart tidak menyebut boundary",
    "a form has at most {} parts": "satu formulir memiliki paling banyak {} bagian",
    "a part of the form has too long headers": "header salah satu bagian formulir terlalu panjang",
    "a form brings one file": "satu formulir hanya membawa satu berkas",
    "it is one of text, image, document, audio and video": (
        "harus salah satu dari `text`, `image`, `document`, `audio`, dan `video`"
    ),
    "a file is an image, document, audio or video": "berkas harus `image`, `document`, `audio`, atau `video`",
}

OF_MESSAGES: dict[str, str] = {
    "the message is empty": "pesannya kosong",
    "the message has {} characters, the limit is {}": "pesannya {} karakter, batasnya {}",
    "the caption has {} characters, the limit is {}": "keterangannya {} karakter, batasnya {}",
    "a caption has at most {} characters": "keterangan paling banyak {} karakter",
    "a contact is given as a vcard, or as a name and phones": (
        "kontak diberikan sebagai vCard, atau sebagai nama dan nomor telepon"
    ),
    "a contact needs a vcard, or a name and phones": "kontak memerlukan vCard, atau nama dan nomor telepon",
    "a contact needs at least one phone number": "kontak memerlukan minimal satu nomor telepon",
    "the vCard names nobody (FN, N, NICKNAME or ORG)": "vCard tidak menyebut nama (FN, N, NICKNAME, atau ORG)",
    "a vCard begins with {} and ends with {}": "vCard diawali {} dan diakhiri {}",
    "it has more than {} lines": "lebih dari {} baris",
    "it holds more than one card; send each as a message of its own": (
        "berisi lebih dari satu kartu; kirim masing-masing sebagai pesan tersendiri"
    ),
    "an option is empty": "ada pilihan yang kosong",
    "this option stands there twice": "pilihan ini tertulis dua kali",
    "the question is empty": "pertanyaannya kosong",
    "there are only {} options": "hanya ada {} pilihan",
    "a message with a medium has one of mediaId, url and data": (
        "pesan dengan media memiliki salah satu dari mediaId, url, dan data"
    ),
    "a reaction is one emoji, or empty to take the former one back": (
        "reaksi berupa satu emoji, atau kosong untuk menarik yang sebelumnya"
    ),
    "all are mentioned only in a group": "semua orang hanya dapat disebut di grup",
    "this is no person's phone number": "ini bukan nomor telepon seseorang",
    "the text does not hold this link": "teksnya tidak memuat tautan ini",
    "a message is scheduled at most a year ahead": "pesan dijadwalkan paling jauh setahun ke depan",
    "this session has no such message": "sesi ini tidak memiliki pesan itu",
    "that message belongs to the chat {}": "pesan itu milik chat {}",
    "no message has the status {}; it is one of {}": "tidak ada pesan berstatus {}; harus salah satu dari {}",
    "it holds neither a letter nor a digit": "tidak berisi huruf atau angka",
    "it holds more than {} words": "lebih dari {} kata",
    "the beginning of a word needs {} letters or digits": "awal kata memerlukan {} huruf atau angka",
    "there are {} templates already": "sudah ada {} templat",
    "the template needs a value for it": "templat memerlukan nilainya",
    "a variable is written {{name}}, of letters, digits and _; this is none: {}": (
        "variabel ditulis {{{{name}}}}, dari huruf, angka, dan _; ini bukan: {}"
    ),
    "it has more than {} variables": "lebih dari {} variabel",
    "it came in": "pesan ini pesan masuk",
    "it was deleted": "sudah dihapus",
    "it is of the type {term}": "jenisnya {}",
    "it has no caption": "tidak memiliki keterangan",
    "more than 15 minutes have passed": "sudah lewat lebih dari 15 menit",
    "it came in, and not in a group": "pesan ini pesan masuk, dan bukan di grup",
    "a reaction is taken back by sending one with an empty emoji": (
        "reaksi ditarik dengan mengirim reaksi beremoji kosong"
    ),
    "more than 60 hours have passed": "sudah lewat lebih dari 60 jam",
}

OF_SESSIONS: dict[str, str] = {
    "a group has a name": "grup harus bernama",
    "a group's JID looks like 120363021234567890@g.us": "JID grup berbentuk 120363021234567890@g.us",
    "this is a group, not a person": "ini grup, bukan orang",
    "a session needs a name": "sesi harus bernama",
    "no session has the status {}; it is one of {}": "tidak ada sesi berstatus {}; harus salah satu dari {}",
    "no reason was given": "tanpa alasan",
    "it names a host and a port, such as socks5://proxy.example:1080": (
        "harus menyebut host dan port, misalnya socks5://proxy.example:1080"
    ),
    "it ends after its port": "harus berakhir setelah port",
    "it holds characters that no URL has": "berisi karakter yang tidak ada dalam URL",
    "a device's name has printable characters": "nama perangkat berisi karakter yang dapat dicetak",
    "no service holds it": "tidak ada layanan yang memegangnya",
    "no answer came within {} s": "tidak ada jawaban dalam {} detik",
    "WhatsApp is already connected": "WhatsApp sudah terhubung",
    "QR code is not ready yet, try again": "kode QR belum siap, coba lagi",
    "there are no phones of ours on the network {}": "tidak ada ponsel simulasi di jaringan {}",
    "the session shows no code": "sesi tidak menampilkan kode",
    "the simulated phone could not scan the code": "ponsel simulasi tidak dapat memindai kode",
}

OF_PLATFORM: dict[str, str] = {
    "a message of {} is not published twice": "pesan dari {} tidak diterbitkan dua kali",
    "it was put back on its way a moment ago": "baru saja dikirim ulang",
}

OWN_REASONS: dict[str, str] = {
    **OF_ACCESS,
    **OF_ACCOUNTS,
    **OF_BILLING,
    **OF_VALUES,
    **OF_MEDIA,
    **OF_MESSAGES,
    **OF_SESSIONS,
    **OF_PLATFORM,
}
"""By the English words; `translations` says what may stand for each `{}`."""

THINGS: dict[str, str] = {
    "chat": "chat",
    "customer": "pelanggan",
    "dead letter": "pesan mati",
    "delivery": "kiriman",
    "form": "formulir",
    "key": "key",
    "medium": "media",
    "plan": "paket",
    "request body": "isi permintaan",
    "sign-in": "sesi masuk",
    "subscription": "langganan",
    "template": "templat",
    "token": "token",
    "transaction": "transaksi",
    "user": "pengguna",
    "webhook": "webhook",
    "webhook or delivery": "webhook atau kiriman",
    "file": "berkas",
    "form besides its file": "formulir di luar berkasnya",
    "medium within JSON (larger ones go as multipart/form-data)": (
        "media dalam JSON (yang lebih besar dikirim sebagai multipart/form-data)"
    ),
    "image": "gambar",
    "document": "dokumen",
    "video": "video",
    "audio": "audio",
    "voice": "pesan suara",
    "sticker": "stiker",
}
"""What was not found, or is too large."""

TERMS: dict[str, str] = {
    "scheduled": "terjadwal",
    "queued": "antre",
    "sending": "sedang dikirim",
    "sent": "terkirim",
    "delivered": "sampai",
    "read": "dibaca",
    "played": "diputar",
    "received": "diterima",
    "failed": "gagal",
    "cancelled": "dibatalkan",
    "expired": "kedaluwarsa",
    "pending": "menunggu pembayaran",
    "active": "aktif",
    "ended": "berakhir",
    "text": "teks",
    "image": "gambar",
    "video": "video",
    "audio": "audio",
    "voice": "pesan suara",
    "document": "dokumen",
    "sticker": "stiker",
    "location": "lokasi",
    "contact": "kontak",
    "poll": "polling",
    "reaction": "reaksi",
    "unknown": "lainnya",
    "hour": "jam",
    "day": "hari",
}
"""Statuses, types and spans of time, where a sentence names one; `status` of a refusal is one too."""
