"""Certificates for servers on the loopback interface."""

import datetime
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


def signed_by_itself(path: Path) -> Path:
    """A file with a new key and its certificate for 127.0.0.1, valid for a day."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, path.stem)])
    now, day = datetime.datetime.now(datetime.UTC), datetime.timedelta(days=1)
    extensions = {
        x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]): False,
        x509.BasicConstraints(ca=True, path_length=None): True,
        x509.KeyUsage(True, False, False, False, False, True, True, False, False): True,
        x509.SubjectKeyIdentifier.from_public_key(key.public_key()): False,
    }
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now - day, now + day)
    for extension, critical in extensions.items():
        builder = builder.add_extension(extension, critical)
    certificate = builder.sign(key, hashes.SHA256())
    encoding, private = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    parts = [key.private_bytes(encoding, private, serialization.NoEncryption()), certificate.public_bytes(encoding)]
    path.write_bytes(b"".join(parts))
    return path
