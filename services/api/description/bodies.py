"""Describes in OpenAPI the bodies that handlers read themselves, because they are streamed or come in two types."""

from __future__ import annotations

from dataclasses import dataclass

from litestar.openapi.spec import (
    OpenAPIFormat,
    OpenAPIMediaType,
    OpenAPIType,
    Operation,
    RequestBody,
    Schema,
)

from services.api.media.kinds import KINDS, PUBLIC_KINDS

TEXT = Schema(type=OpenAPIType.STRING)
FILE = Schema(type=OpenAPIType.STRING, format=OpenAPIFormat.BINARY)
KIND = Schema(type=OpenAPIType.STRING, enum=["text", *PUBLIC_KINDS])
ANY_KIND = Schema(type=OpenAPIType.STRING, enum=list(KINDS))
BASE64 = Schema(type=OpenAPIType.STRING, description="A data URL or base64, up to 20 MB decoded.")
PHONE = Schema(type=OpenAPIType.STRING, description="In any usual spelling, such as 081234567890 or +6281234567890.")

PUBLIC_JSON = Schema(
    title="PublicSend",
    type=OpenAPIType.OBJECT,
    required=["phone"],
    properties={
        "phone": PHONE,
        "contentType": KIND,
        "content": Schema(type=OpenAPIType.STRING, description="The text, or the medium as a data URL or base64."),
        "message": Schema(type=OpenAPIType.STRING, description="The text, in the short dialect."),
        "type": KIND,
        "image": BASE64,
        "document": BASE64,
        "mediaId": Schema(type=OpenAPIType.STRING, description="From POST /media, instead of the medium itself."),
        "caption": TEXT,
        "fileName": TEXT,
        "filename": TEXT,
    },
)
CONVERT = Schema(
    type=OpenAPIType.BOOLEAN,
    description="As `voice`: whether other sound is converted to Ogg with Opus; true if left out.",
)
PUBLIC_FORM = Schema(
    title="PublicSendForm",
    type=OpenAPIType.OBJECT,
    required=["phone", "contentType", "file"],
    properties={"phone": PHONE, "contentType": KIND, "file": FILE, "caption": TEXT, "fileName": TEXT},
)
UPLOAD_FORM = Schema(
    title="MediaUpload",
    type=OpenAPIType.OBJECT,
    required=["file"],
    properties={"file": FILE, "fileName": TEXT, "contentType": ANY_KIND, "convert": CONVERT},
)


@dataclass
class PublicSendOperation(Operation):
    """A public send: JSON or a form."""

    def __post_init__(self) -> None:
        """Describe the body."""
        self.request_body = RequestBody(
            required=True,
            content={
                "application/json": OpenAPIMediaType(schema=PUBLIC_JSON),
                "multipart/form-data": OpenAPIMediaType(schema=PUBLIC_FORM),
            },
        )


@dataclass
class UploadOperation(Operation):
    """An upload: a form with a file."""

    def __post_init__(self) -> None:
        """Describe the body."""
        self.request_body = RequestBody(
            required=True, content={"multipart/form-data": OpenAPIMediaType(schema=UPLOAD_FORM)}
        )
