"""Feature extractors: the right weights in any file, the same features in any batch."""

from __future__ import annotations

import gzip
import hashlib
import json
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F

from limner.core.errors import UserError
from limner.metrics import FEATURES, digits, inception
from limner.metrics.digits import Digits
from limner.metrics.inception import Inception, recognise
from limner.metrics.random_features import RandomFeatures
from limner.nets.digits import DigitClassifier
from limner.nets.inception import BlockA, BlockE, Conv


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


# The network's rearrangements, against the plain order of things


def plain(tensors: dict[str, Tensor], name: str, x: Tensor, padding: int = 0) -> Tensor:
    part = {key.removeprefix(f"{name}."): tensor for key, tensor in tensors.items() if key.startswith(f"{name}.")}
    x = F.conv2d(x, part["conv.weight"], padding=padding)
    return F.batch_norm(x, part["bn.running_mean"], part["bn.running_var"], None, part["bn.bias"], eps=1e-3).relu()


def filled(block: nn.Module) -> dict[str, Tensor]:
    """Random tensors for a block, in float64, loaded into it."""
    draw, tensors = torch.Generator().manual_seed(0), {}
    for conv in block.modules():
        if isinstance(conv, Conv):
            for source, fan_out in conv.sources.items():
                shape = (fan_out, *conv.weight.shape[1:])
                weight = torch.randn(shape, generator=draw).double() / conv.weight[0].numel() ** 0.5
                tensors[f"{source}.conv.weight"] = weight
                for name in ("bias", "running_mean", "running_var"):
                    tensors[f"{source}.bn.{name}"] = torch.rand(fan_out, generator=draw).double() + 0.1
            conv.double().load(tensors)
    return tensors


def test_merging_and_pooling_change_nothing() -> None:
    x = torch.randn(2, 192, 9, 9, generator=torch.Generator().manual_seed(1)).double()
    block = BlockA("a", 192, pool=32)
    tensors = filled(block)
    threes = plain(tensors, "a.branch3x3dbl_2", plain(tensors, "a.branch3x3dbl_1", x), 1)
    averaged = F.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)
    expected = [
        plain(tensors, "a.branch1x1", x),
        plain(tensors, "a.branch5x5_2", plain(tensors, "a.branch5x5_1", x), 2),
        plain(tensors, "a.branch3x3dbl_3", threes, 1),
        plain(tensors, "a.branch_pool", averaged),
    ]
    torch.testing.assert_close(block(x), torch.cat(expected, dim=1), atol=1e-12, rtol=0)


def test_the_last_block_takes_the_maximum() -> None:
    x = torch.randn(1, 64, 4, 4, generator=torch.Generator().manual_seed(1)).double()
    block = BlockE("e", 64, last=True)
    tensors = filled(block)
    expected = plain(tensors, "e.branch_pool", F.max_pool2d(x, 3, stride=1, padding=1))
    torch.testing.assert_close(block(x)[:, -192:], expected, atol=1e-12, rtol=0)


# Weights are recognised by what they hold


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> dict[str, Tensor]:
    """A network of four tensors, two of them equal, in place of the Inception's."""
    draw = torch.Generator().manual_seed(0)
    tensors = {name: torch.randn(2, 3, generator=draw) for name in ("a.weight", "b.weight", "b.bias")}
    tensors["c.bias"] = tensors["b.bias"].clone()
    known = {
        name: [[2, 3], hashlib.sha256(tensor.numpy().tobytes()).hexdigest()[:16]] for name, tensor in tensors.items()
    }
    monkeypatch.setattr(inception, "TENSORS", known)
    return tensors


class Renamed(nn.Module):
    """Tensors under other names, as a TorchScript program has them."""

    def __init__(self, tensors: dict[str, Tensor]) -> None:
        super().__init__()
        for i, tensor in enumerate(tensors.values()):
            self.register_buffer(f"layer_{i}", tensor)

    def forward(self, x: Tensor) -> Tensor:
        return x


def save_torchscript(tensors: dict[str, Tensor], path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.script(Renamed(tensors)).save(str(path))


def save_any(tensors: dict[str, Tensor], path: Path) -> None:
    extra = {"AuxLogits.fc.weight": torch.ones(1000, 768), "b.num_batches_tracked": torch.tensor(0)}
    if path.suffix == ".safetensors":
        save_file(tensors, path)
    elif path.suffix == ".pt":
        save_torchscript(tensors, path)
    elif path.stem == "old":
        torch.save({**tensors, **extra}, path, _use_new_zipfile_serialization=False)
    else:
        torch.save({"state_dict": {**tensors, **extra}, "epoch": 3}, path)


KINDS = ("file.safetensors", "script.pt", "new.pth", "old.pth")


@pytest.mark.parametrize("name", KINDS)
def test_any_container_will_do(name: str, tiny: dict[str, Tensor], tmp_path: Path) -> None:
    save_any(tiny, tmp_path / name)
    found = recognise(tmp_path / name)
    assert found.keys() == tiny.keys() and all(torch.equal(found[key], tiny[key]) for key in tiny)
    last = torch.rand(1008, 2048)
    save_any({**tiny, "last": last}, tmp_path / name)
    assert torch.equal(recognise(tmp_path / name)["fc.weight"], last)


@pytest.mark.parametrize("name", KINDS)
def test_other_weights_are_refused(name: str, tiny: dict[str, Tensor], tmp_path: Path) -> None:
    path = tmp_path / name
    spoilt = {**tiny, "b.weight": tiny["b.weight"].clone()}
    spoilt["b.weight"][1, 1] = float("nan")
    save_any(spoilt, path)
    with pytest.raises(UserError, match=rf"{name}: of the 4 tensors .* 1 are missing .* the first b\.weight"):
        recognise(path)
    save_any({key: tensor + 1 for key, tensor in tiny.items()}, path)
    with pytest.raises(UserError, match="holds another network than the Inception of FID"):
        recognise(path)
    save_any(tiny, path)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(UserError, match=f"{name} cannot be read as weights: it is damaged, cut short"):
        recognise(path)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\x80\x02}q\x00.", b"words, words"])
def test_what_is_no_weights_file(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.pth").write_bytes(content)
    with pytest.raises(UserError, match=r"x\.pth (cannot be read as weights|holds another network)"):
        Inception(tmp_path / "x.pth")


def test_unknown_protocols_are_refused() -> None:
    for name, near in (("inception", "pytorch-fidd"), ("digits", "mnist"), ("random", "clean")):
        with pytest.raises(UserError, match="unknown resize protocol"):
            FEATURES.load(name)(None, near, False, "cpu")


# The Inception itself


@pytest.fixture(scope="module")
def published(real_data: Path) -> Path:
    return real_data.parent / "weights" / "fid_inception_2015_12_05.safetensors"


@pytest.fixture(scope="module")
def network(published: Path) -> Inception:
    return Inception(published)


def test_the_table_of_tensors_is_that_of_the_published_network() -> None:
    assert len(inception.TENSORS) == 376 and Inception.weights == "77e30f1f"  # stands in every protocol line


def test_features_do_not_depend_on_the_batch(network: Inception) -> None:
    pictures = [noise(40, 30, 3), noise(28, 28, 1), noise(300, 350, 3), *(noise(16, 16, 3, seed=i) for i in range(4))]
    together = network.extract(pictures)
    assert together.vectors.shape == (7, 2048) and together.vectors.dtype == np.float32 and together.logits is None
    alone = np.concatenate([network.extract([picture]).vectors for picture in pictures])
    np.testing.assert_allclose(alone, together.vectors, atol=1e-5)
    assert np.abs(together.vectors[0] - together.vectors[1]).max() > 0.1
    assert network.extract([]).vectors.shape == (0, 2048)


def test_the_other_files_give_the_same_features_and_logits(network: Inception, published: Path, tmp_path: Path) -> None:
    tensors = load_file(published)
    last = torch.randn(1008, 2048, generator=torch.Generator().manual_seed(0))
    script = {name: tensor for name, tensor in tensors.items() if not name.endswith("bn.weight")}  # has no scales
    save_any({**tensors, "fc.weight": last, "fc.bias": torch.ones(1008)}, tmp_path / "mine.pth")
    save_any(script, tmp_path / "mine.pt")
    picture = noise(32, 32, 3)
    expected = network.extract([picture]).vectors
    for name in ("mine.pth", "mine.pt"):
        other = Inception(tmp_path / name)
        seen = other.extract([picture])
        np.testing.assert_array_equal(seen.vectors, expected)
        assert (seen.logits is not None) == (name == "mine.pth") == (len(other.answers) == 1008)
        if seen.logits is not None:
            np.testing.assert_allclose(seen.logits, expected @ last.numpy().T, atol=1e-4)
        del other
        (tmp_path / name).unlink()


def test_a_wrong_hash_is_refused(tmp_path: Path) -> None:
    save_file({"a": torch.ones(3)}, tmp_path / "fid_inception_2015_12_05.safetensors")
    with pytest.raises(UserError, match="expected 591ecfa43438fd4e1a9ab107adfeaadeea2d0057cca0b03f4f686ba45cc9a9b9"):
        Inception(tmp_path)


# Digits


@pytest.fixture(scope="module")
def test_digits(real_data: Path) -> tuple[np.ndarray, np.ndarray]:
    pictures = gzip.decompress((real_data / "mnist" / "t10k-images-idx3-ubyte.gz").read_bytes())[16:]
    labels = gzip.decompress((real_data / "mnist" / "t10k-labels-idx1-ubyte.gz").read_bytes())[8:]
    return np.frombuffer(pictures, np.uint8).reshape(-1, 28, 28, 1), np.frombuffer(labels, np.uint8)


def read_digits(extractor: Digits, pictures: list[np.ndarray]) -> np.ndarray:
    logits = extractor.extract(pictures).logits
    assert logits is not None
    return logits.argmax(axis=1)


def test_reads_digits(test_digits: tuple[np.ndarray, np.ndarray]) -> None:
    pictures, labels = test_digits[0][-2000:], test_digits[1][-2000:]
    extractor = Digits()
    assert np.mean(read_digits(extractor, list(pictures)) == labels) > 0.99
    large = [np.repeat(np.repeat(np.repeat(picture, 3, 0), 3, 1), 3, 2) for picture in pictures[:200]]  # 84 px, colour
    assert np.mean(read_digits(extractor, large) == labels[:200]) > 0.98


def test_digit_features() -> None:
    extractor = Digits()
    pictures = [*noise(600, 28, 28, 1), noise(28, 28, 3), noise(50, 40, 4)]
    seen = extractor.extract(pictures)
    assert seen.vectors.shape == (602, 128) and seen.logits is not None and seen.logits.shape == (602, 10)
    assert extractor.answers == tuple("0123456789") and seen.vectors.dtype == np.float32
    for i in (0, 599, 600, 601):
        np.testing.assert_allclose(extractor.extract([pictures[i]]).vectors[0], seen.vectors[i], atol=1e-4)
    assert extractor.extract([]).vectors.shape == (0, 128)
    with torch.inference_mode():
        direct = digits.load(digits.SHIPPED)(torch.from_numpy(pictures[0][..., 0] / np.float32(255))[None, None])
    np.testing.assert_allclose(direct[0].numpy(), seen.logits[0], atol=1e-4)


def test_the_shipped_classifier_is_the_pinned_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert digits.SHIPPED.stat().st_size < 1_000_000
    assert Digits().weights == digits.SHA256[:8] == hashlib.sha256(digits.SHIPPED.read_bytes()).hexdigest()[:8]
    monkeypatch.setattr(digits, "SHIPPED", tmp_path / "digits.safetensors")
    save_file(DigitClassifier().state_dict(), digits.SHIPPED)
    with pytest.raises(UserError, match=rf"digits\.safetensors is damaged: .* expected {digits.SHA256}"):
        Digits()
    assert Digits(digits.SHIPPED).weights != digits.SHA256[:8]  # trained otherwise, but on purpose


def test_other_weights_of_digits_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "digits.safetensors"
    save_file({"a": torch.ones(3)}, path)
    with pytest.raises(UserError, match="does not hold the weights of limner's digit classifier"):
        Digits(path)
    network = DigitClassifier()
    nn.init.constant_(network.output.bias, float("nan"))
    save_file(network.state_dict(), path)
    with pytest.raises(UserError, match="some of its weights are not numbers"):
        Digits(path)
    with pytest.raises(UserError, match="cannot be read"):
        Digits(tmp_path / "absent.safetensors")


# Random features


def test_random_features_are_the_same_everywhere() -> None:
    extractor = RandomFeatures()
    pictures = [noise(32, 32, 3), noise(50, 61, 1), noise(8, 8, 4)]
    seen = extractor.extract(pictures)
    assert seen.vectors.shape == (3, 128) and seen.logits is None and "comparable with nothing" in extractor.note
    np.testing.assert_allclose(seen.vectors[0, :4], [0.27749, -0.08052, 0.19366, 0.14913], atol=1e-4)
    for picture, vector in zip(pictures, seen.vectors, strict=True):
        np.testing.assert_allclose(RandomFeatures().extract([picture]).vectors[0], vector, atol=1e-5)
    assert extractor.extract([]).vectors.shape == (0, 128)


def test_the_extractors_are_what_they_are_called() -> None:
    for name in FEATURES.entries:
        extractor = FEATURES.load(name)
        assert extractor.name == name and extractor.weights if name != "digits" else extractor().weights
    assert json.loads(Path(inception.__file__).with_name("inception_tensors.json").read_text()) == inception.TENSORS
