"""Ed25519 of `verify.py`: the vectors of RFC 8032, another implementation, and what a lax one would let pass."""

from __future__ import annotations

import hashlib

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given, settings
from hypothesis import strategies as st

from governance.evidence.verify import decode_point, verify_signature

P, L = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493

LONG = (
    "08b8b2b733424243760fe426a4b54908632110a66c2f6591eabd3345e3e4eb98fa6e264bf09efe12ee50f8f54e9f77b1e355f6c50544e23fb1433ddf"
    "73be84d879de7c0046dc4996d9e773f4bc9efe5738829adb26c81b37c93a1b270b20329d658675fc6ea534e0810a4432826bf58c941efb65d57a338b"
    "bd2e26640f89ffbc1a858efcb8550ee3a5e1998bd177e93a7363c344fe6b199ee5d02e82d522c4feba15452f80288a821a579116ec6dad2b3b310da9"
    "03401aa62100ab5d1a36553e06203b33890cc9b832f79ef80560ccb9a39ce767967ed628c6ad573cb116dbefefd75499da96bd68a8a97b928a8bbc10"
    "3b6621fcde2beca1231d206be6cd9ec7aff6f6c94fcd7204ed3455c68c83f4a41da4af2b74ef5c53f1d8ac70bdcb7ed185ce81bd84359d44254d9562"
    "9e9855a94a7c1958d1f8ada5d0532ed8a5aa3fb2d17ba70eb6248e594e1a2297acbbb39d502f1a8c6eb6f1ce22b3de1a1f40cc24554119a831a9aad6"
    "079cad88425de6bde1a9187ebb6092cf67bf2b13fd65f27088d78b7e883c8759d2c4f5c65adb7553878ad575f9fad878e80a0c9ba63bcbcc2732e694"
    "85bbc9c90bfbd62481d9089beccf80cfe2df16a2cf65bd92dd597b0707e0917af48bbb75fed413d238f5555a7a569d80c3414a8d0859dc65a46128ba"
    "b27af87a71314f318c782b23ebfe808b82b0ce26401d2e22f04d83d1255dc51addd3b75a2b1ae0784504df543af8969be3ea7082ff7fc9888c144da2"
    "af58429ec96031dbcad3dad9af0dcbaaaf268cb8fcffead94f3c7ca495e056a9b47acdb751fb73e666c6c655ade8297297d07ad1ba5e43f1bca32301"
    "651339e22904cc8c42f58c30c04aafdb038dda0847dd988dcda6f3bfd15c4b4c4525004aa06eeff8ca61783aacec57fb3d1f92b0fe2fd1a85f672451"
    "7b65e614ad6808d6f6ee34dff7310fdc82aebfd904b01e1dc54b2927094b2db68d6f903b68401adebf5a7e08d78ff4ef5d63653a65040cf9bfd4aca7"
    "984a74d37145986780fc0b16ac451649de6188a7dbdf191f64b5fc5e2ab47b57f7f7276cd419c17a3ca8e1b939ae49e488acba6b965610b5480109c8"
    "b17b80e1b7b750dfc7598d5d5011fd2dcc5600a32ef5b52a1ecc820e308aa342721aac0943bf6686b64b2579376504ccc493d97e6aed3fb0f9cd71a4"
    "3dd497f01f17c0e2cb3797aa2a2f256656168e6c496afc5fb93246f6b1116398a346f1a641f3b041e989f7914f90cc2c7fff357876e506b50d334ba7"
    "7c225bc307ba537152f3f1610e4eafe595f6d9d90d11faa933a15ef1369546868a7f3a45a96768d40fd9d03412c091c6315cf4fde7cb68606937380d"
    "b2eaaa707b4c4185c32eddcdd306705e4dc1ffc872eeee475a64dfac86aba41c0618983f8741c5ef68d3a101e8a3b8cac60c905c15fc910840b94c00"
    "a0b9d0"
)
VECTORS = {
    "TEST 1": (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        (
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
            "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
        ),
    ),
    "TEST 2": (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        (
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
            "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
        ),
    ),
    "TEST 3": (
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        (
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
            "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"
        ),
    ),
    "TEST 1024": (
        "f5e5767cf153319517630f226876b86c8160cc583bc013744c6bf255f5cc0ee5",
        "278117fc144c72340f67d0f2316e8386ceffbf2b2428c9c51fef7c597f1d426e",
        LONG,
        (
            "0aab4c900501b3e24d7cdf4663326a3a87df5e4843b2cbdb67cbf6e460fec350"
            "aa5371b1508f9f4528ecea23c436d94b5e8fcd4f681e30a6ac00a9704a188a03"
        ),
    ),
    "TEST SHA(abc)": (
        "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
        "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
        hashlib.sha512(b"abc").hexdigest(),
        (
            "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b589"
            "09351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704"
        ),
    ),
}
IDENTITY = (1).to_bytes(32, "little")
ORDER_4 = (0).to_bytes(32, "little")
MINUS_ONE = (P - 1).to_bytes(32, "little")
"""Encodings of points of order 1, 4 and 2: y is 1, 0 and -1."""

seeds = st.binary(min_size=32, max_size=32)


@pytest.mark.parametrize("name", VECTORS)
def test_the_vectors_of_rfc_8032_section_7_1(name):
    secret, public, message, signature = map(bytes.fromhex, VECTORS[name])
    key = Ed25519PrivateKey.from_private_bytes(secret)
    assert (key.public_key().public_bytes_raw(), key.sign(message)) == (public, signature)
    assert verify_signature(public, message, signature)
    assert not verify_signature(public, message + b"\0", signature)


def accepts(public, message, signature):
    """What the other implementation says."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except InvalidSignature:
        return False
    return True


@settings(deadline=None, max_examples=60)
@given(seeds, st.binary(max_size=300))
def test_what_the_other_implementation_signs_verifies(seed, message):
    key = Ed25519PrivateKey.from_private_bytes(seed)
    assert verify_signature(key.public_key().public_bytes_raw(), message, key.sign(message))


@settings(deadline=None, max_examples=150)
@given(seeds, st.binary(min_size=1, max_size=40), st.data())
def test_it_agrees_with_the_other_implementation_on_whatever_was_altered(seed, message, data):
    key = Ed25519PrivateKey.from_private_bytes(seed)
    parts = [key.public_key().public_bytes_raw(), message, key.sign(message)]
    which = data.draw(st.integers(0, 2))
    place = data.draw(st.integers(0, len(parts[which]) - 1))
    changed = bytearray(parts[which])
    changed[place] ^= data.draw(st.integers(1, 255))
    parts[which] = bytes(changed)
    assert verify_signature(*parts) is False
    assert accepts(*parts) is False


@settings(deadline=None, max_examples=40)
@given(seeds, seeds, st.binary(max_size=40))
def test_a_signature_of_another_key_does_not_verify(seed, other, message):
    keys = [Ed25519PrivateKey.from_private_bytes(each) for each in (seed, other)]
    if seed != other:
        assert not verify_signature(keys[0].public_key().public_bytes_raw(), message, keys[1].sign(message))


def test_a_scalar_of_the_group_order_or_more_is_refused():
    public, message, signature = (bytes.fromhex(part) for part in VECTORS["TEST 2"][1:])
    scalar = int.from_bytes(signature[32:], "little")
    for more in (L, 2 * L):  # the same residue: a lax verifier takes it for a second signature
        assert not verify_signature(public, message, signature[:32] + (scalar + more).to_bytes(32, "little"))


@pytest.mark.parametrize("length", [0, 31, 32, 63, 65, 96])
def test_other_lengths_are_refused(length):
    public, message, signature = (bytes.fromhex(part) for part in VECTORS["TEST 3"][1:])
    assert not verify_signature(public, message, (signature * 2)[:length])
    if length != 32:
        assert not verify_signature((public * 3)[:length], message, signature)


@pytest.mark.parametrize("key", [IDENTITY, ORDER_4, MINUS_ONE])
def test_a_key_of_small_order_signs_nothing(key):
    assert decode_point(key) is not None
    for message in (b"", b"one", b"two", b"three", b"four", b"five", b"six", b"seven"):
        for point in (IDENTITY, ORDER_4, MINUS_ONE):
            assert not verify_signature(key, message, point + bytes(32))


def test_a_forgery_that_a_lax_verifier_accepts_is_refused():
    # With the identity as the key, R = [S]B holds for every message.
    assert accepts(IDENTITY, b"anything", IDENTITY + bytes(32))
    assert not verify_signature(IDENTITY, b"anything", IDENTITY + bytes(32))


@pytest.mark.parametrize(
    "encoded",
    [
        (P).to_bytes(32, "little"),  # y = p, which is y = 0
        (P + 1).to_bytes(32, "little"),  # y = 1 once more
        ((1 << 255) | 1).to_bytes(32, "little"),  # x = 0 with a sign
        ((1 << 255) | (P - 1)).to_bytes(32, "little"),
        (2).to_bytes(32, "little"),  # no point has this y
        bytes(31),
        bytes(33),
    ],
)
def test_what_is_no_canonical_encoding_of_a_point_is_refused(encoded):
    assert decode_point(encoded) is None
