"""The example of ``docs/extend/store.md``, as it stands there, under the contract it is an example of."""

import importlib.util
import re
import sys
import tempfile
from pathlib import Path

from pennyworth.ports import Store
from pennyworth.testing.contract_store import StoreContract

PAGE = Path(__file__).parents[2] / "docs" / "extend" / "store.md"


def example() -> type:
    """The class that the page's first block of code defines."""
    block = re.search(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert block
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "dict_store.py"
        path.write_text(block.group(1))
        spec = importlib.util.spec_from_file_location("dict_store", path)
        assert spec
        assert spec.loader
        module = importlib.util.module_from_spec(spec)
        sys.modules["dict_store"] = module
        spec.loader.exec_module(module)
    return module.DictStore


DictStore = example()


class TestTheExample(StoreContract):
    def make_store(self, folder: Path, max_entries: int = 1_000, max_bytes: int = 10_000_000) -> Store:
        return DictStore(max_entries, max_bytes)
