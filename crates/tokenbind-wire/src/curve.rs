//! The curve equation of secp256r1, in field arithmetic that fiat-crypto generated and proved.

use fiat_crypto::p256_64::{
    fiat_p256_add, fiat_p256_from_montgomery, fiat_p256_montgomery_domain_field_element as Element,
    fiat_p256_mul, fiat_p256_non_montgomery_domain_field_element as Plain, fiat_p256_square,
    fiat_p256_sub,
};

/// The prime p = 2^256 - 2^224 + 2^192 + 2^96 - 1, most significant limb first.
const P: [u64; 4] = [0xffff_ffff_0000_0001, 0, 0xffff_ffff, 0xffff_ffff_ffff_ffff];

/// 3 R^-1 and b R^-2 modulo p, with R = 2^256, least significant limb first.
const THREE: Element = Element([
    0x0000_0009_0000_0002,
    0x0000_0003_ffff_fffa,
    0xffff_fff7_0000_0006,
    0xffff_fffc_0000_0009,
]);
const B: Element = Element([
    0xe59b_e0a6_4584_a137,
    0xfc35_21eb_9ca0_65a7,
    0x7c17_8684_a0f4_5303,
    0x3081_dc38_d948_431a,
]);

/// Returns `true` if y^2 = x^3 - 3x + b modulo p and both coordinates are below p. The coordinates are public.
///
/// A Montgomery product is a b R^-1. Instead of converting the coordinates, the equation is
/// compared after two products on each side: both sides carry the same factor R^-2.
pub(crate) fn is_on_curve(point: &[u8; 64]) -> bool {
    let Some((x, y)) = coordinates(point) else {
        return false;
    };
    let mut square = Element([0; 4]);
    let mut sum = Element([0; 4]);
    let mut product = Element([0; 4]);

    fiat_p256_square(&mut square, &x); // x^2 R^-1
    fiat_p256_sub(&mut sum, &square, &THREE); // (x^2 - 3) R^-1
    fiat_p256_mul(&mut product, &sum, &x); // (x^3 - 3x) R^-2
    fiat_p256_add(&mut sum, &product, &B); // (x^3 - 3x + b) R^-2

    fiat_p256_square(&mut square, &y); // y^2 R^-1
    let mut left = Plain([0; 4]);
    fiat_p256_from_montgomery(&mut left, &square); // y^2 R^-2

    left.0 == sum.0
}

fn coordinates(point: &[u8; 64]) -> Option<(Element, Element)> {
    let (x, y) = point.split_first_chunk::<32>()?;
    Some((coordinate(x)?, coordinate(y.first_chunk()?)?))
}

/// Returns a big-endian coordinate, or `None` if it is not below p.
fn coordinate(bytes: &[u8; 32]) -> Option<Element> {
    let mut limbs = [0_u64; 4];
    for (limb, chunk) in limbs.iter_mut().zip(bytes.as_chunks::<8>().0) {
        *limb = u64::from_be_bytes(*chunk);
    }
    if limbs >= P {
        return None;
    }
    limbs.reverse();
    Some(Element(limbs))
}

#[cfg(test)]
mod tests {
    use super::*;
    use p256::elliptic_curve::{Generate, sec1::ToSec1Point};
    use proptest::prelude::*;

    fn library_accepts(point: &[u8; 64]) -> bool {
        p256::PublicKey::from_sec1_bytes(&[&[4], point.as_slice()].concat()).is_ok()
    }

    #[test]
    fn accepts_points_of_generated_keys_and_rejects_their_neighbours() {
        for _ in 0..64 {
            let key = p256::SecretKey::generate().public_key();
            let mut point: [u8; 64] = key.to_sec1_point(false).as_bytes()[1..].try_into().unwrap();
            assert!(is_on_curve(&point));
            point[63] ^= 1;
            assert_eq!(is_on_curve(&point), library_accepts(&point));
        }
    }

    #[test]
    fn rejects_a_coordinate_that_is_not_reduced() {
        // (0, sqrt(b)) is on the curve; (p, sqrt(b)) is the same point written with x = p.
        let y = hex::decode("66485c780e2f83d72433bd5d84a06bb6541c2af31dae871728bf856a174f93f4");
        let mut point = [0; 64];
        point[32..].copy_from_slice(&y.unwrap());
        assert!(is_on_curve(&point));
        assert!(library_accepts(&point));
        for (limb, bytes) in P.iter().zip(point.chunks_exact_mut(8)) {
            bytes.copy_from_slice(&limb.to_be_bytes());
        }
        assert!(!is_on_curve(&point));
    }

    proptest! {
        #[test]
        fn agrees_with_the_p256_crate_on_any_64_bytes(x: [u8; 32], y: [u8; 32]) {
            let mut point = [0; 64];
            point[..32].copy_from_slice(&x);
            point[32..].copy_from_slice(&y);
            prop_assert_eq!(is_on_curve(&point), library_accepts(&point));
        }
    }
}
