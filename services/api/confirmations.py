"""What an answer says of what was done or will be, in English and Indonesian; the English words are part of the API."""

from __future__ import annotations

from services.api.sentences import Phrase

# --- The service ------------------------------------------------------------------------------------------------------

NOT_READY = Phrase("Not ready: {faults}", "Belum siap: {faults}")

# --- Sessions --------------------------------------------------------------------------------------------------------

SESSION_CREATED = Phrase("Session created", "Sesi dibuat")
SESSION_UPDATED = Phrase("Session updated", "Sesi diubah")
SESSION_DELETED = Phrase("Session deleted", "Sesi dihapus")
SESSION_STARTING = Phrase("Session is starting", "Sesi sedang dijalankan")
SESSION_STOPPING = Phrase("Session is stopping", "Sesi sedang dihentikan")
SESSION_RESTARTING = Phrase("Session is restarting", "Sesi sedang dijalankan ulang")
SESSION_LOGGING_OUT = Phrase("Session is logging out", "Sesi sedang dikeluarkan")
SESSION_READY = Phrase("Session is ready", "Sesi siap")
SESSION_NOT_CONNECTED = Phrase("Session is not connected", "Sesi tidak terhubung")
SCAN_THE_CODE = Phrase("Scan this code with WhatsApp", "Pindai kode ini dengan WhatsApp")
ALREADY_CONNECTED = Phrase("WhatsApp is already connected", "WhatsApp sudah terhubung")
QR_NOT_READY = Phrase("QR code is not ready yet, try again", "QR belum siap, coba lagi")
RECONNECTION_BEGUN = Phrase("WhatsApp reconnection initiated", "Penghubungan ulang WhatsApp dimulai")
TYPE_THE_CODE = Phrase(
    "Type this code on the phone: Linked devices, Link with phone number instead",
    "Ketik kode ini di ponsel: Perangkat tertaut, Tautkan dengan nomor telepon saja",
)
PASSKEY_HANDED_OVER = Phrase(
    "The passkey's answer was handed to WhatsApp", "Jawaban passkey telah diserahkan ke WhatsApp"
)
PASSKEY_CONFIRMED = Phrase("The code was confirmed", "Kode telah dikonfirmasi")
PRESENCE_SHOWN = Phrase("Presence shown", "Kehadiran ditampilkan")
GROUP_CREATED = Phrase("Group created", "Grup dibuat")
GROUP_CREATED_WITHOUT = Phrase(
    "Group created without {left_out} of {asked}: see participants",
    "Grup dibuat tanpa {left_out} dari {asked}: lihat participants",
)
PARTICIPANTS_CHANGED = Phrase("Done for {done} of {asked}", "Berhasil untuk {done} dari {asked}")

# --- Messages --------------------------------------------------------------------------------------------------------

MESSAGE_IN: dict[str, Phrase] = {
    "scheduled": Phrase("Message scheduled", "Pesan dijadwalkan"),
    "queued": Phrase("Message queued", "Pesan masuk antrean"),
    "sending": Phrase("Message sending", "Pesan sedang dikirim"),
    "sent": Phrase("Message sent", "Pesan terkirim"),
    "delivered": Phrase("Message delivered", "Pesan sampai"),
    "read": Phrase("Message read", "Pesan dibaca"),
    "played": Phrase("Message played", "Pesan diputar"),
    "failed": Phrase("Message failed", "Pesan gagal"),
    "cancelled": Phrase("Message cancelled", "Pesan dibatalkan"),
    "expired": Phrase("Message expired", "Pesan kedaluwarsa"),
}
"""By the status that an accepted message has when it is answered for."""
MESSAGE_ACCEPTED = Phrase("Message accepted", "Pesan diterima")
MESSAGE_EDITED = Phrase("Message edited", "Pesan diubah")
MESSAGE_TO_BE_EDITED = Phrase("Message will be edited", "Pesan akan diubah")
MESSAGE_DELETED = Phrase("Message deleted", "Pesan dihapus")
MESSAGE_TO_BE_DELETED = Phrase("Message will be deleted", "Pesan akan dihapus")
MESSAGE_CANCELLED = Phrase("Message cancelled", "Pesan dibatalkan")
MESSAGE_TO_BE_CANCELLED = Phrase("Message will be cancelled", "Pesan akan dibatalkan")
MESSAGE_QUEUED_AGAIN = Phrase("Message queued again", "Pesan masuk antrean lagi")
MESSAGES_READ = Phrase("Messages marked as read", "Pesan ditandai sudah dibaca")
MESSAGES_TO_BE_READ = Phrase("Messages will be marked as read", "Pesan akan ditandai sudah dibaca")
CHAT_READ = Phrase("Chat marked as read", "Chat ditandai sudah dibaca")
CHAT_TO_BE_READ = Phrase("Chat will be marked as read", "Chat akan ditandai sudah dibaca")
NOTHING_TO_DECIDE = Phrase("No message waits for a decision", "Tidak ada pesan yang menunggu keputusan")
QUEUE_RELEASED = Phrase("Messages released", "Pesan dilepas")
QUEUE_TO_BE_RELEASED = Phrase("Messages will be released", "Pesan akan dilepas")
QUEUE_CANCELLED = Phrase("Messages cancelled", "Pesan dibatalkan")
QUEUE_TO_BE_CANCELLED = Phrase("Messages will be cancelled", "Pesan akan dibatalkan")
MEDIUM_STORED = Phrase("Medium stored", "Media disimpan")
TEMPLATE_CREATED = Phrase("Template created", "Templat dibuat")
TEMPLATE_CHANGED = Phrase("Template changed", "Templat diubah")
TEMPLATE_DELETED = Phrase("Template deleted", "Templat dihapus")

# --- Accounts, users and keys ----------------------------------------------------------------------------------------

SIGNED_IN = Phrase("Signed in", "Berhasil masuk")
SIGNED_UP = Phrase("Signed up", "Berhasil mendaftar")
SIGNED_OUT = Phrase("Signed out", "Berhasil keluar")
SIGN_IN_ENDED = Phrase("The sign-in has ended", "Sesi masuk telah diakhiri")
SIGN_INS_ENDED = Phrase("{ended} sign-ins have ended", "{ended} sesi masuk telah diakhiri")
OTHER_SIGN_INS_ENDED = Phrase("{ended} other sign-ins have ended", "{ended} sesi masuk lain telah diakhiri")
PASSWORD_CHANGED = Phrase(
    "The password was changed; other sign-ins have ended", "Kata sandi diubah; sesi masuk lain telah diakhiri"
)
PASSWORD_RESET = Phrase(
    "The password was changed; the user is signed out everywhere",
    "Kata sandi diubah; pengguna dikeluarkan dari semua perangkat",
)
ACCOUNT = Phrase("Account", "Akun")
ACCOUNT_UPDATED = Phrase("Account updated", "Akun diubah")
USER = Phrase("User", "Pengguna")
USER_CREATED = Phrase("User created", "Pengguna dibuat")
USER_CHANGED = Phrase("User changed", "Pengguna diubah")
USER_DELETED = Phrase("User deleted", "Pengguna dihapus")
ADMIN_CREATED = Phrase("Admin created", "Admin dibuat")
ADMIN_UPDATED = Phrase("Admin updated", "Admin diubah")
ADMIN_PASSWORD_UPDATED = Phrase("Password updated", "Kata sandi diubah")
ADMIN_DELETED = Phrase("Admin deleted", "Admin dihapus")
API_KEY = Phrase("API key", "API key")
API_KEY_REPLACED = Phrase("New API key; the old one no longer works", "API key baru; yang lama tidak berlaku lagi")
API_KEY_CREATED = Phrase("New API key; it is shown only now", "API key baru; hanya ditampilkan sekali ini")
API_KEY_CHANGED = Phrase("API key changed", "API key diubah")
API_KEY_REVOKED = Phrase("API key revoked", "API key dicabut")
API_KEY_DELETED = Phrase("API key deleted", "API key dihapus")
TOKEN_CREATED = Phrase("Token created; it is shown only now", "Token dibuat; hanya ditampilkan sekali ini")
TOKEN_REVOKED = Phrase("Token revoked", "Token dicabut")
TOKEN_DELETED = Phrase("Token deleted", "Token dihapus")

# --- Webhooks --------------------------------------------------------------------------------------------------------

WEBHOOK_CREATED = Phrase("Webhook created; keep its secret", "Webhook dibuat; simpan secret-nya")
WEBHOOK_UPDATED = Phrase("Webhook updated", "Webhook diubah")
WEBHOOK_DELETED = Phrase("Webhook deleted", "Webhook dihapus")
WEBHOOK_TAKEN = Phrase("The endpoint has taken it", "Alamat tujuan telah menerimanya")
WEBHOOK_NOT_TAKEN = Phrase("The endpoint did not take it", "Alamat tujuan tidak menerimanya")
WEBHOOK_SECRET_REPLACED = Phrase(
    "New secret; the old one signs for 24 hours more", "Secret baru; yang lama masih menandatangani selama 24 jam"
)
REPLAY_BEGUN = Phrase("The replay has begun", "Pengiriman ulang dimulai")
SENT_AGAIN = Phrase("It is sent again", "Dikirim ulang")

# --- Plans, payments and the platform --------------------------------------------------------------------------------

PURCHASE_WAITS = Phrase(
    "The purchase waits for its payment to be confirmed", "Pembelian menunggu pembayarannya dikonfirmasi"
)
PURCHASE_CANCELLED = Phrase("Purchase cancelled", "Pembelian dibatalkan")
PAYMENT_CONFIRMED = Phrase("Payment confirmed", "Pembayaran dikonfirmasi")
PAYMENT_REJECTED = Phrase("Payment rejected", "Pembayaran ditolak")
SUBSCRIBED = Phrase("Subscribed", "Berlangganan")
SUBSCRIPTION_EXTENDED = Phrase("Subscription extended", "Langganan diperpanjang")
SUBSCRIPTION_CANCELLED = Phrase("Subscription cancelled", "Langganan dibatalkan")
PLAN = Phrase("Plan", "Paket")
PLAN_CREATED = Phrase("Plan created", "Paket dibuat")
PLAN_UPDATED = Phrase("Plan updated", "Paket diubah")
CREDITS_BOOKED = Phrase("Credits booked", "Kredit dibukukan")
CREDITS_TO_BE_BOOKED = Phrase("Accepted; the credits will be booked soon", "Diterima; kredit akan segera dibukukan")
CUSTOMER = Phrase("Customer", "Pelanggan")
CUSTOMER_CREATED = Phrase("Customer created", "Pelanggan dibuat")
CUSTOMER_UPDATED = Phrase("Customer updated", "Pelanggan diubah")
CUSTOMER_SUSPENDED = Phrase("Customer suspended", "Pelanggan ditangguhkan")
CUSTOMER_RESUMED = Phrase("Customer resumed", "Pelanggan diaktifkan kembali")
LETTER_REDRIVEN = Phrase("The message is on its way again", "Pesan sedang dalam perjalanan lagi")
LETTERS_REDRIVEN = Phrase("{redriven} messages are on their way again", "{redriven} pesan sedang dalam perjalanan lagi")
LETTERS_KEPT = Phrase(
    "{redriven} messages are on their way again; {kept} stay, the first because {reason}",
    "{redriven} pesan sedang dalam perjalanan lagi; {kept} tetap di sini, yang pertama karena {reason}",
)
LETTER_DROPPED = Phrase("The dead letter is gone", "Pesan mati telah dihapus")
