//! Owns Sprig's hashes, passwords and ciphers (crypto.go). They hide which part is from where, so their results are of all that went in.

use cbc::cipher::{BlockModeDecrypt as _, BlockModeEncrypt as _, KeyIvInit as _, block_padding};
use hmac::{KeyInit as _, Mac as _};
use plumb_go::base64;
use sha2::Digest as _;

use super::random::random;
use crate::func::{Call, Failure, Function, function};
use crate::value::Value;

pub(crate) static ALL: &[&Function] =
    &[&SHA1SUM, &SHA256SUM, &SHA512SUM, &ADLER32SUM, &BCRYPT, &HTPASSWD, &DERIVE_PASSWORD, &ENCRYPT_AES, &DECRYPT_AES];

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

function!(SHA1SUM, "sha1sum", [Str], , Coarse, |c, a| {
    let sum = hex(&sha1::Sha1::digest(c.bytes(&a[0])));
    c.text(sum.as_bytes())
});
function!(SHA256SUM, "sha256sum", [Str], , Coarse, |c, a| {
    let sum = hex(&sha2::Sha256::digest(c.bytes(&a[0])));
    c.text(sum.as_bytes())
});
function!(SHA512SUM, "sha512sum", [Str], , Coarse, |c, a| {
    let sum = hex(&sha2::Sha512::digest(c.bytes(&a[0])));
    c.text(sum.as_bytes())
});
function!(ADLER32SUM, "adler32sum", [Str], , Coarse, |c, a| {
    const MODULUS: u32 = 65_521;
    let (low, high) = c.bytes(&a[0]).iter().fold((1_u32, 0_u32), |(low, high), byte| {
        let low = (low + u32::from(*byte)) % MODULUS;
        (low, (high + low) % MODULUS)
    });
    c.text((high << 16 | low).to_string().as_bytes())
});

/// bcrypt's cost: the number of rounds is two to this power.
const BCRYPT_COST: u32 = 10;
/// A longer password is refused, not cut.
const BCRYPT_PASSWORD_BYTES: usize = 72;

/// Sprig's `bcrypt`: what goes wrong is the text.
fn bcrypt(c: &mut Call<'_>, a: &[Value], password: &Value) -> Result<String, Failure> {
    if c.bytes(password).len() > BCRYPT_PASSWORD_BYTES {
        return Ok("failed to encrypt string with bcrypt: bcrypt: password length exceeds 72 bytes".to_owned());
    }
    let mut salt = [0; 16];
    salt.copy_from_slice(&random(c, a, 16)?);
    Ok(bcrypt_with(c.bytes(password), &salt, BCRYPT_COST))
}

/// The hash in the form of crypt(3), version 2a (golang.org/x/crypto/bcrypt).
fn bcrypt_with(password: &[u8], salt: &[u8; 16], cost: u32) -> String {
    // The key is a C string, with its end.
    let key = [password, &[0]].concat();
    let mut cipher = blowfish::Blowfish::bc_init_state();
    cipher.salted_expand_key(salt, &key);
    for _ in 0..1_u32 << cost {
        cipher.bc_expand_key(&key);
        cipher.bc_expand_key(salt);
    }
    let mut hash = Vec::with_capacity(24);
    for block in b"OrpheanBeholderScryDoubt".chunks(8) {
        let word = |bytes: &[u8]| bytes.iter().fold(0_u32, |word, byte| word << 8 | u32::from(*byte));
        let mut words = [word(&block[..4]), word(&block[4..])];
        for _ in 0..64 {
            words = cipher.bc_encrypt(words);
        }
        hash.extend(words.iter().flat_map(|word| word.to_be_bytes()));
    }
    hash.truncate(23);
    format!("$2a${cost:02}${}{}", bcrypt_base64(salt), bcrypt_base64(&hash))
}

/// Base64 with bcrypt's own digits and no padding.
fn bcrypt_base64(bytes: &[u8]) -> String {
    const STANDARD: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const OWN: &[u8; 64] = b"./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let own = |byte: u8| STANDARD.iter().position(|digit| *digit == byte).map(|at| OWN[at] as char);
    base64::encode(bytes).bytes().filter_map(own).collect()
}

function!(BCRYPT, "bcrypt", [Str], , Coarse, |c, a| {
    let hash = bcrypt(c, a, &a[0])?;
    c.text(hash.as_bytes())
});

function!(HTPASSWD, "htpasswd", [Str, Str], , Coarse, |c, a| {
    let name = c.bytes(&a[0]).to_vec();
    if name.contains(&b':') {
        return c.text(&[b"invalid username: ", name.as_slice()].concat());
    }
    let hash = bcrypt(c, a, &a[1])?;
    c.text(&[name.as_slice(), b":", hash.as_bytes()].concat())
});

/// The kinds of passwords and their patterns (masterpasswordapp.com, version 3).
const PATTERNS: [(&str, &[&str]); 6] = [
    ("maximum", &["anoxxxxxxxxxxxxxxxxx", "axxxxxxxxxxxxxxxxxno"]),
    (
        "long",
        &[
            "CvcvnoCvcvCvcv",
            "CvcvCvcvnoCvcv",
            "CvcvCvcvCvcvno",
            "CvccnoCvcvCvcv",
            "CvccCvcvnoCvcv",
            "CvccCvcvCvcvno",
            "CvcvnoCvccCvcv",
            "CvcvCvccnoCvcv",
            "CvcvCvccCvcvno",
            "CvcvnoCvcvCvcc",
            "CvcvCvcvnoCvcc",
            "CvcvCvcvCvccno",
            "CvccnoCvccCvcv",
            "CvccCvccnoCvcv",
            "CvccCvccCvcvno",
            "CvcvnoCvccCvcc",
            "CvcvCvccnoCvcc",
            "CvcvCvccCvccno",
            "CvccnoCvcvCvcc",
            "CvccCvcvnoCvcc",
            "CvccCvcvCvccno",
        ],
    ),
    ("medium", &["CvcnoCvc", "CvcCvcno"]),
    ("short", &["Cvcn"]),
    ("basic", &["aaanaaan", "aannaaan", "aaannaaa"]),
    ("pin", &["nnnn"]),
];

/// What stands for a character of a pattern.
fn alphabet(kind: u8) -> &'static [u8] {
    match kind {
        b'V' => b"AEIOU",
        b'C' => b"BCDFGHJKLMNPQRSTVWXYZ",
        b'v' => b"aeiou",
        b'c' => b"bcdfghjklmnpqrstvwxyz",
        b'A' => b"AEIOUBCDFGHJKLMNPQRSTVWXYZ",
        b'a' => b"AEIOUaeiouBCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz",
        b'n' => b"0123456789",
        b'o' => b"@&%?,=[]_:-+*$#!'^~;()/.",
        _ => b"AEIOUaeiouBCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz0123456789!@#$%^&*()",
    }
}

function!(DERIVE_PASSWORD, "derivePassword", [Uint32, Str, Str, Str, Str], , Coarse, |c, a| {
    let kind = c.bytes(&a[1]);
    let Some((_, patterns)) = PATTERNS.iter().find(|(name, _)| name.as_bytes() == kind) else {
        let text = [b"cannot find password template ", kind].concat();
        return c.text(&text);
    };
    let password = derived(c.int(&a[0]) as u32, patterns, [c.bytes(&a[2]), c.bytes(&a[3]), c.bytes(&a[4])])?;
    c.text(&password)
});

/// A password of a master password, a user and a site.
fn derived(counter: u32, patterns: &[&str], [password, user, site]: [&[u8]; 3]) -> Result<Vec<u8>, Failure> {
    const SEED: &[u8] = b"com.lyndir.masterpassword";
    let failed = |error: String| Failure::new(format!("failed to derive password: {error}"));
    let salted = |text: &[u8]| [SEED, &(text.len() as u32).to_be_bytes(), text].concat();
    let params = scrypt::Params::new(15, 8, 2).map_err(|error| failed(error.to_string()))?;
    let mut key = [0; 64];
    scrypt::scrypt(password, &salted(user), &params, &mut key).map_err(|error| failed(error.to_string()))?;
    let mut mac = hmac::Hmac::<sha2::Sha256>::new_from_slice(&key).map_err(|error| failed(error.to_string()))?;
    mac.update(&salted(site));
    mac.update(&counter.to_be_bytes());
    let seed = mac.finalize().into_bytes();
    let number = |at: usize| usize::from(seed.get(at).copied().unwrap_or(0));
    let pattern = patterns.get(number(0) % patterns.len().max(1)).copied().unwrap_or("");
    Ok(pattern
        .bytes()
        .enumerate()
        .map(|(at, kind)| {
            let characters = alphabet(kind);
            characters[number(at + 1) % characters.len()]
        })
        .collect())
}

/// AES-256 takes a key of this size: passwords are cut or filled with zeros.
fn aes_key(password: &[u8]) -> [u8; 32] {
    let mut key = [0; 32];
    key.iter_mut().zip(password).for_each(|(to, from)| *to = *from);
    key
}

const AES_BLOCK: usize = 16;

function!(ENCRYPT_AES, "encryptAES", [Str, Str], , Coarse, |c, a| {
    if c.str(&a[1]).is_empty() {
        return c.text(b"");
    }
    let start = random(c, a, AES_BLOCK)?;
    let text = c.bytes(&a[1]);
    let mut buffer = text.to_vec();
    buffer.resize(text.len() / AES_BLOCK * AES_BLOCK + AES_BLOCK, 0);
    let cipher = cbc::Encryptor::<aes::Aes256>::new_from_slices(&aes_key(c.bytes(&a[0])), &start)
        .map_err(|error| Failure::new(error.to_string()))?;
    let encrypted =
        cipher.encrypt_padded::<block_padding::Pkcs7>(&mut buffer, text.len()).map_err(|error| Failure::new(error.to_string()))?;
    let text = base64::encode(&[start.as_slice(), encrypted].concat());
    c.text(text.as_bytes())
});

// Sprig does not check what it decrypts: Go panics where it is no cipher text, and so says where.
function!(DECRYPT_AES, "decryptAES", [Str, Str], , Coarse, |c, a| {
    let text = c.bytes(&a[1]);
    if text.is_empty() {
        return c.text(b"");
    }
    let crypt = base64::decode_or_place(text).map_err(|at| Failure::new(format!("illegal base64 data at input byte {at}")))?;
    let Some((start, rest)) = crypt.split_at_checked(AES_BLOCK) else {
        let capacity = text.len() / 4 * 3;
        let kind = if capacity < AES_BLOCK { "capacity" } else { "length" };
        let of = if capacity < AES_BLOCK { capacity } else { crypt.len() };
        return Err(Failure::new(format!("runtime error: slice bounds out of range [:{AES_BLOCK}] with {kind} {of}")));
    };
    if rest.len() % AES_BLOCK != 0 {
        return Err(Failure::new("crypto/cipher: input not full blocks"));
    }
    let cipher = cbc::Decryptor::<aes::Aes256>::new_from_slices(&aes_key(c.bytes(&a[0])), start)
        .map_err(|error| Failure::new(error.to_string()))?;
    let mut buffer = rest.to_vec();
    let decrypted =
        cipher.decrypt_padded::<block_padding::NoPadding>(&mut buffer).map_err(|error| Failure::new(error.to_string()))?;
    let Some(padding) = decrypted.last().map(|last| usize::from(*last)) else {
        return Err(Failure::new("runtime error: index out of range [-1]"));
    };
    let Some(end) = decrypted.len().checked_sub(padding) else {
        let end = decrypted.len() as i64 - padding as i64;
        return Err(Failure::new(format!("runtime error: slice bounds out of range [:{end}]")));
    };
    let plain = decrypted[..end].to_vec();
    c.text(&plain)
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bcrypt_is_that_of_others() {
        // OpenBSD's own vectors.
        for (password, salt, expect) in [
            (
                "",
                [0x14, 0x4b, 0x3d, 0x69, 0x1a, 0x7b, 0x4e, 0xcf, 0x39, 0xcf, 0x73, 0x5c, 0x7f, 0xa7, 0xa7, 0x9c],
                "$2a$06$DCq7YPn5Rq63x1Lad4cll.TV4S6ytwfsfvkgY8jIucDrjc8deX1s.",
            ),
            (
                "a",
                [0xa3, 0x61, 0x2d, 0x8c, 0x9a, 0x37, 0xda, 0xc2, 0xf9, 0x9d, 0x94, 0xda, 0x3, 0xbd, 0x45, 0x21],
                "$2a$06$m0CrhHm10qJ3lXRY.5zDGO3rS2KdeeWLuGmsfGlMfOxih58VYVfxe",
            ),
        ] {
            assert_eq!(bcrypt_with(password.as_bytes(), &salt, 6), expect);
        }
    }
}
