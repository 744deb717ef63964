"""Sentences of the sign-up."""

WORDS: dict[str, tuple[str, str]] = {
    "signup.title": ("Sign up", "Daftar"),
    "signup.lead": ("An account of your own, with you as its owner.", "Akun sendiri, dengan Anda sebagai pemilik."),
    "signup.name": ("Your name", "Nama Anda"),
    "signup.company": ("Company", "Perusahaan"),
    "signup.company_rule": ("May stay empty.", "Boleh kosong."),
    "signup.submit": ("Sign up", "Daftar"),
    "signup.have": ("You have an account?", "Sudah punya akun?"),
    "signup.have_not": ("No account yet?", "Belum punya akun?"),
}
