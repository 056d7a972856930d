//! Certificates and keys from PEM.

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tidegate_core::error::{Error, Result};

use crate::secrets::Secret;

/// The certificates in a PEM text, in their order; at least one.
pub(crate) fn certificates(pem: &Secret) -> Result<Vec<CertificateDer<'static>>> {
    let read: std::result::Result<Vec<_>, _> =
        CertificateDer::pem_slice_iter(pem.bytes()).collect();
    let read = read.map_err(|_| malformed("a certificate in it is broken"))?;
    if read.is_empty() {
        return Err(malformed("there is no -----BEGIN CERTIFICATE----- in it"));
    }
    Ok(read)
}

/// A client's certificate, the chain up to its authority behind it, and its key.
pub(crate) type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

/// The certificate chain and the one private key of a PEM text, in any order. The key may be
/// PKCS#8, PKCS#1 (RSA) or SEC1 (EC), and must not be encrypted.
pub(crate) fn identity(pem: &Secret) -> Result<Identity> {
    if is_encrypted(pem.bytes()) {
        return Err(malformed(
            "its private key is encrypted: give it without a passphrase \
             (openssl pkey -in key.pem -out plain.pem)",
        ));
    }
    let chain = certificates(pem)?;
    let keys: std::result::Result<Vec<_>, _> = PrivateKeyDer::pem_slice_iter(pem.bytes()).collect();
    let mut keys = keys.map_err(|_| malformed("the private key in it is broken"))?;
    match (keys.pop(), keys.len()) {
        (Some(key), 0) => Ok((chain, key)),
        (None, _) => Err(malformed(
            "there is no private key in it: put the client's certificate, the chain behind it and \
             the key into one text",
        )),
        (Some(_), more) => Err(malformed(&format!("it has {} private keys", more + 1))),
    }
}

fn is_encrypted(pem: &[u8]) -> bool {
    let has = |mark: &[u8]| pem.windows(mark.len()).any(|part| part == mark);
    has(b"BEGIN ENCRYPTED PRIVATE KEY") || has(b"Proc-Type: 4,ENCRYPTED")
}

fn malformed(what: &str) -> Error {
    Error::config(format!("this must be PEM, and {what}"))
}
