"""A reader of safetensors files that shares no code with anything that is tested here."""

import json
import mmap
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Tensor:
    dtype: str
    shape: tuple[int, ...]
    data: memoryview

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Tensor) and (self.dtype, self.shape, self.data) == (other.dtype, other.shape, other.data)


@dataclass(frozen=True)
class SafetensorsFile:
    metadata: dict[str, str]
    tensors: dict[str, Tensor]


def read(path: Path) -> SafetensorsFile:
    with path.open("rb") as file:
        content = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    start = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(bytes(content[8:start]))
    metadata = header.pop("__metadata__", {})
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        tensors[name] = Tensor(entry["dtype"], tuple(entry["shape"]), content[start + begin : start + end])
    return SafetensorsFile(metadata, tensors)
