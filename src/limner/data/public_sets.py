"""What the catalog knows of the public sets of the papers: figures and words, no code.

A checksum stands here only where it is published: by the makers of the set (CIFAR-10, Fashion-MNIST) or by the list
that TensorFlow Datasets keeps of the files it fetches (MNIST, Fashion-MNIST, CIFAR-10, most of CycleGAN's sets). The
sets of pix2pix have none.
"""

from __future__ import annotations

from limner.core.fetching import PublishedFile
from limner.data.catalog import PublicSet

_BERKELEY = "http://efrosgans.eecs.berkeley.edu"
_PIX2PIX_PAGE = "https://phillipi.github.io/pix2pix/"
_CYCLEGAN_PAGE = "https://junyanz.github.io/CycleGAN/"
_ISOLA = "Isola, Zhu, Zhou, Efros: Image-to-Image Translation with Conditional Adversarial Networks, CVPR 2017"
_ZHU = "Zhu et al.: Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial Networks, ICCV 2017"
_IMAGENET = "photographs of ImageNet: non-commercial research and teaching only"
_ART = "paintings of WikiArt and photographs of Flickr; no licence is stated: research"
_FLICKR = "photographs of Flickr; no licence is stated: research"


def _pix2pix(name: str, holds: str, terms: str, citation: str, size: int) -> PublicSet:
    file = PublishedFile(f"{name}.tar.gz", "", size, f"{_BERKELEY}/pix2pix/datasets/{name}.tar.gz")
    return PublicSet(name, f"{holds}, side by side", terms, f"{citation}; {_ISOLA}", _PIX2PIX_PAGE, (file,))


def _cyclegan(name: str, holds: str, terms: str, size: int, sha256: str) -> PublicSet:
    file = PublishedFile(f"{name}.zip", sha256, size, f"{_BERKELEY}/cyclegan/datasets/{name}.zip")
    return PublicSet(name, f"{holds}, 256 x 256", terms, _ZHU, _CYCLEGAN_PAGE, (file,))


def _idx(address: str, files: dict[str, tuple[int, str, str]]) -> tuple[PublishedFile, ...]:
    return tuple(
        PublishedFile(f"{name}.gz", sha256, size, f"{address}/{name}.gz", md5)
        for name, (size, sha256, md5) in files.items()
    )


SETS = (
    PublicSet(
        "mnist",
        "handwritten digits, 28 x 28, grey: 60,000 to learn from, 10,000 to test, 10 classes",
        "CC BY-SA 3.0 as usually stated",
        "LeCun, Bottou, Bengio, Haffner: Gradient-based learning applied to document recognition, Proc. IEEE 1998",
        "http://yann.lecun.com/exdb/mnist/",
        _idx(
            "https://storage.googleapis.com/cvdf-datasets/mnist",
            {
                "train-images-idx3-ubyte": (
                    9_912_422,
                    "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
                    "f68b3c2dcbeaaa9fbdd348bbdeb94873",
                ),
                "train-labels-idx1-ubyte": (
                    28_881,
                    "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
                    "d53e105ee54ea40749a09fcbcd1e9432",
                ),
                "t10k-images-idx3-ubyte": (
                    1_648_877,
                    "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
                    "9fb629c4189551a2d022fa330f9573f3",
                ),
                "t10k-labels-idx1-ubyte": (
                    4_542,
                    "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
                    "ec29112dd5afa0611ce80d1b7f02629c",
                ),
            },
        ),
        unpacks=False,
    ),
    PublicSet(
        "fashion-mnist",
        "pieces of clothing, 28 x 28, grey: 60,000 to learn from, 10,000 to test, 10 classes",
        "MIT licence (Zalando SE)",
        "Xiao, Rasul, Vollgraf: Fashion-MNIST, a novel image dataset for benchmarking machine learning, 2017",
        "https://github.com/zalandoresearch/fashion-mnist",
        _idx(
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",
            {
                "train-images-idx3-ubyte": (
                    26_421_880,
                    "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
                    "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
                ),
                "train-labels-idx1-ubyte": (
                    29_515,
                    "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
                    "25c81989df183df01b3e8a0aad5dffbe",
                ),
                "t10k-images-idx3-ubyte": (
                    4_422_102,
                    "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
                    "bef4ecab320f06d8554ea6380940ec79",
                ),
                "t10k-labels-idx1-ubyte": (
                    5_148,
                    "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
                    "bb300cfdad3c16e7a12a480ee83cd310",
                ),
            },
        ),
        unpacks=False,
    ),
    PublicSet(
        "cifar10",
        "small photographs, 32 x 32, colour: 50,000 to learn from, 10,000 to test, 10 classes",
        "no licence is stated; its makers ask to cite their report",
        "Krizhevsky: Learning Multiple Layers of Features from Tiny Images, 2009",
        "https://www.cs.toronto.edu/~kriz/cifar.html",
        (
            PublishedFile(
                "cifar-10-binary.tar.gz",
                "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
                170_052_171,
                "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
                "c32a1d4ab5d03f1284b67883e8d87530",
            ),
        ),
    ),
    _pix2pix(
        "facades",
        "400 facades to learn from and 206 more, the photograph left and its labels right",
        "CMP Facade Database, CTU Prague: research; cite it",
        "Tylecek, Sara: Spatial Pattern Templates for Recognition of Objects with Regular Structure, GCPR 2013",
        30_168_306,
    ),
    _pix2pix(
        "maps",
        "1,096 aerial views to learn from and 1,098 more, the view left and the map right",
        "pictures of Google Maps: Google's terms; research",
        "see pix2pix",
        250_242_400,
    ),
    _pix2pix(
        "edges2shoes",
        "50,000 shoes, the outline left and the photograph right",
        "UT Zappos50K: academic, non-commercial use only",
        "Yu, Grauman: Fine-Grained Visual Comparisons with Local Learning, CVPR 2014",
        2_100_000_000,
    ),
    _pix2pix(
        "edges2handbags",
        "137,000 handbags, the outline left and the photograph right",
        "pictures of Amazon's shop, gathered for iGAN; no licence is stated: research",
        "Zhu, Krahenbuhl, Shechtman, Efros: Generative Visual Manipulation on the Natural Image Manifold, ECCV 2016",
        8_600_000_000,
    ),
    _pix2pix(
        "night2day",
        "20,000 pairs of one view by night and by day",
        "Transient Attributes; no licence is stated: research",
        "Laffont et al.: Transient Attributes for High-Level Understanding of Outdoor Scenes, SIGGRAPH 2014",
        2_000_000_000,
    ),
    PublicSet(
        "cityscapes",
        "2,975 street scenes and their labels",
        "non-commercial research after registration; it may not be passed on",
        f"Cordts et al.: The Cityscapes Dataset for Semantic Urban Scene Understanding, CVPR 2016; {_ISOLA}",
        "https://www.cityscapes-dataset.com",
        by_hand=(
            "register at https://www.cityscapes-dataset.com, fetch leftImg8bit_trainvaltest.zip and "
            "gtFine_trainvaltest.zip, and put each photograph into A and its picture of colours (..._color.png) under "
            "the same name into B."
        ),
    ),
    _cyclegan(
        "apple2orange",
        "995 apples and 1,019 oranges to learn from",
        _IMAGENET,
        78_456_409,
        "845a191e9af8926408ea597001cd03a452e3300a1f44a79fe329b3d59f6e3eb8",
    ),
    _cyclegan(
        "summer2winter_yosemite",
        "1,231 views of Yosemite in summer and 962 in winter to learn from",
        _FLICKR,
        132_640_856,
        "167fe1726807a9d22bd106b4a6c0bd7953b688af924ac1bf967439c4961e49f9",
    ),
    _cyclegan(
        "horse2zebra",
        "1,067 horses and 1,334 zebras to learn from",
        _IMAGENET,
        116_867_962,
        "a74d9d392eecca9966b51287a76ca126af473d9de4f3e8fc0e9cda08fa1730a1",
    ),
    _cyclegan(
        "monet2photo",
        "1,072 paintings of Monet and 6,287 photographs to learn from",
        _ART,
        305_231_073,
        "88f91b00fc228f97c9411fbf1880ec1d119c98f1722e4cfcfaa2fb35fac05b04",
    ),
    _cyclegan(
        "cezanne2photo",
        "525 paintings of Cezanne and 6,287 photographs to learn from",
        _ART,
        279_885_071,
        "3a6c10ca21f9485862f1cbd707744b9dc258954a04631271d23a3605eeb63cff",
    ),
    _cyclegan(
        "ukiyoe2photo",
        "562 Japanese prints and 6,287 photographs to learn from",
        _ART,
        292_946_532,
        "02a2a2fb5ecf425ca1bf86aca7304377da64a2a1d3b86df54eb65e4068bf3b08",
    ),
    _cyclegan(
        "vangogh2photo",
        "400 paintings of van Gogh and 6,287 photographs to learn from",
        _ART,
        306_590_349,
        "362c3473e70be0944bda08d49d660eafdc2854df55d697835b8186d1d79caaff",
    ),
    _cyclegan(
        "iphone2dslr_flower",
        "1,812 flowers taken by telephone and 3,325 by a camera with a shallow depth of field to learn from",
        _FLICKR,
        339_964_458,
        "8fcb5e374d631b107e1d961b8c4cd0a186aa2a4ff3e279923f4c426128de7113",
    ),
    _cyclegan("ae_photos", "photographs to try the collection style transfer on", _FLICKR, 10_000_000, ""),
    PublicSet(
        "celeba",
        "202,599 faces of 10,177 well-known people, 178 x 218, aligned; 40 attributes",
        "non-commercial research only; the pictures are not the property of its makers and may not be passed on",
        "Liu, Luo, Wang, Tang: Deep Learning Face Attributes in the Wild, ICCV 2015",
        "https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html",
        by_hand=(
            "read and accept the agreement at https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html, fetch "
            "img_align_celeba.zip from the drive that it names, and unpack it."
        ),
    ),
    PublicSet(
        "lfw",
        "13,233 faces of 5,749 people, 250 x 250, in colour",
        "no licence is stated; photographs of the press: research",
        "Huang, Ramesh, Berg, Learned-Miller: Labeled Faces in the Wild, Univ. of Massachusetts, Amherst, 2007",
        "http://vis-www.cs.umass.edu/lfw/",
        by_hand=(
            "fetch lfw-deepfunneled.tgz (or lfw.tgz) from http://vis-www.cs.umass.edu/lfw/, or, while that is not "
            "reachable, from an archive you trust, and unpack it."
        ),
    ),
)
