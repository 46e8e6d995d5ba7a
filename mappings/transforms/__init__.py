"""Named transforms: small functions with checked parameters that mapping files chain under `do:`."""

from __future__ import annotations

from mappings.transforms import data, people, text  # noqa: F401 - importing registers their transforms
from mappings.transforms.registry import Context, TransformError, build_chain, registered, signature_of

__all__ = ["Context", "TransformError", "build_chain", "registered", "signature_of"]
