//! Arithmetic of the key exchange (Diffie and Hellman): powers modulo the prime of MSE, which has
//! 768 bits. Products are Montgomery's: reduced limb by limb, without a division.
//!
//! The time that it takes depends on the secret exponent. Whoever could measure that learns what
//! anybody who listens can find out with more effort.

/// Limbs of a number.
const LIMBS: usize = 12;
/// Bytes of a number on the wire, the most significant first.
pub const LEN: usize = LIMBS * 8;
/// Bytes of an exponent: 160 bits, as MSE recommends.
pub const EXPONENT: usize = 20;

/// A number below 2⁷⁶⁸, the least significant limb first.
type Number = [u64; LIMBS];

/// The prime.
const P: Number = [
    0x0000_0000_0009_0563,
    0xf44c_42e9_a63a_3621,
    0xe485_b576_625e_7ec6,
    0x4fe1_356d_6d51_c245,
    0x302b_0a6d_f25f_1437,
    0xef95_19b3_cd3a_431b,
    0x514a_0879_8e34_04dd,
    0x020b_bea6_3b13_9b22,
    0x2902_4e08_8a67_cc74,
    0xc4c6_628b_80dc_1cd1,
    0xc90f_daa2_2168_c234,
    0xffff_ffff_ffff_ffff,
];

/// -P⁻¹ modulo 2⁶⁴.
const P_INVERSE: u64 = inverse();
/// 2⁷⁶⁸ mod P: 1 as Montgomery writes it.
const ONE: Number = power_of_two(768);
/// 2¹⁵³⁶ mod P, which brings a number into that form.
const SQUARE: Number = power_of_two(2 * 768);

/// Newton: each round doubles the bits that are right.
const fn inverse() -> u64 {
    let mut inverse = 1_u64;
    let mut round = 0;
    while round < 6 {
        let error = 2_u64.wrapping_sub(P[0].wrapping_mul(inverse));
        inverse = inverse.wrapping_mul(error);
        round += 1;
    }
    inverse.wrapping_neg()
}

const fn power_of_two(exponent: usize) -> Number {
    let mut number = [0; LIMBS];
    number[0] = 1;
    let mut done = 0;
    while done < exponent {
        number = double(number);
        done += 1;
    }
    number
}

/// Twice a number below P, modulo P.
const fn double(number: Number) -> Number {
    let mut sum = [0; LIMBS];
    let (mut place, mut carry) = (0, 0);
    while place < LIMBS {
        sum[place] = (number[place] << 1) | carry;
        carry = number[place] >> 63;
        place += 1;
    }
    reduce(sum, carry)
}

/// A number below 2 P, whose highest bits are `high`, modulo P.
const fn reduce(number: Number, high: u64) -> Number {
    let mut less = [0; LIMBS];
    let (mut place, mut borrow) = (0, false);
    while place < LIMBS {
        let (part, one) = number[place].overflowing_sub(P[place]);
        let (part, two) = part.overflowing_sub(borrow as u64);
        less[place] = part;
        borrow = one || two;
        place += 1;
    }
    if borrow && high == 0 { number } else { less }
}

/// Montgomery's product: a b / 2⁷⁶⁸ modulo P.
fn product(a: &Number, b: &Number) -> Number {
    let wide = |a: u64, b: u64, c: u64, d: u64| -> (u64, u64) {
        let sum = u128::from(a) * u128::from(b) + u128::from(c) + u128::from(d);
        (sum as u64, (sum >> 64) as u64)
    };
    let mut sum = [0; LIMBS];
    let mut top = 0_u64;
    for &limb in b {
        // Adds a × limb, and the multiple of P that makes the lowest limb 0; that one drops out.
        let (low, mut carry) = wide(a[0], limb, sum[0], 0);
        let factor = low.wrapping_mul(P_INVERSE);
        let (_, mut carry_p) = wide(factor, P[0], low, 0);
        for place in 1..LIMBS {
            let (part, high) = wide(a[place], limb, sum[place], carry);
            let (part, high_p) = wide(factor, P[place], part, carry_p);
            sum[place - 1] = part;
            (carry, carry_p) = (high, high_p);
        }
        let (part, one) = carry.overflowing_add(carry_p);
        let (part, two) = part.overflowing_add(top);
        sum[LIMBS - 1] = part;
        top = u64::from(one) + u64::from(two);
    }
    reduce(sum, top)
}

fn from_bytes(bytes: &[u8; LEN]) -> Number {
    let mut number = [0; LIMBS];
    for (limb, bytes) in number.iter_mut().rev().zip(bytes.chunks_exact(8)) {
        *limb = bytes
            .iter()
            .fold(0, |limb, &byte| (limb << 8) | u64::from(byte));
    }
    number
}

fn to_bytes(number: &Number) -> [u8; LEN] {
    let mut bytes = [0; LEN];
    for (bytes, limb) in bytes.chunks_exact_mut(8).zip(number.iter().rev()) {
        bytes.copy_from_slice(&limb.to_be_bytes());
    }
    bytes
}

/// Out of Montgomery's form.
fn plain(number: &Number) -> [u8; LEN] {
    let mut one = [0; LIMBS];
    one[0] = 1;
    to_bytes(&product(number, &one))
}

/// 2 to this power.
pub fn power_of_base(exponent: &[u8; EXPONENT]) -> [u8; LEN] {
    let mut power = ONE;
    for byte in exponent {
        for bit in (0..8).rev() {
            power = product(&power, &power);
            if (byte >> bit) & 1 == 1 {
                power = double(power);
            }
        }
    }
    plain(&power)
}

/// This number to this power. `None`: it is none that an honest peer sends, since its powers are
/// known to everybody (0, 1, P - 1), or it is not below P.
pub fn power(base: &[u8; LEN], exponent: &[u8; EXPONENT]) -> Option<[u8; LEN]> {
    let base = from_bytes(base);
    let (mut one, mut last) = ([0; LIMBS], P);
    one[0] = 1;
    last[0] -= 1;
    if !is_below(&one, &base) || !is_below(&base, &last) {
        return None;
    }
    // The powers 0 to 15, for four bits at a time.
    let mut powers = [ONE; 16];
    powers[1] = product(&base, &SQUARE);
    for place in 2..16 {
        powers[place] = product(&powers[place - 1], &powers[1]);
    }
    let mut power = ONE;
    for byte in exponent {
        for half in [byte >> 4, byte & 15] {
            for _ in 0..4 {
                power = product(&power, &power);
            }
            power = product(&power, &powers[usize::from(half)]);
        }
    }
    Some(plain(&power))
}

fn is_below(a: &Number, b: &Number) -> bool {
    a.iter().rev().lt(b.iter().rev())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Rng;
    use crypto_bigint::modular::{MontyForm, MontyParams};
    use crypto_bigint::{Odd, U768};

    fn hex<const N: usize>(text: &str) -> [u8; N] {
        let byte = |at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap();
        std::array::from_fn(byte)
    }

    fn exponent(rng: &mut Rng) -> [u8; EXPONENT] {
        std::array::from_fn(|_| rng.below(256) as u8)
    }

    /// The same by a crate that others wrote.
    fn checked(base: &[u8; LEN], exponent: &[u8; EXPONENT]) -> [u8; LEN] {
        let modulus = Odd::new(U768::from_be_slice(&to_bytes(&P))).unwrap();
        let params = MontyParams::new_vartime(modulus);
        let base = MontyForm::new(&U768::from_be_slice(base), params);
        let mut wide = [0; LEN];
        wide[LEN - EXPONENT..].copy_from_slice(exponent);
        let power = base.pow(&U768::from_be_slice(&wide)).retrieve();
        to_bytes(&power.to_words())
    }

    /// Calculated with the integers of Python.
    #[test]
    fn powers_are_those_of_another_calculator() {
        let x = hex("a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4");
        let y = hex("0123456789abcdeffedcba98765432100f1e2d3c");
        let public = power_of_base(&x);
        assert_eq!(
            public,
            hex(
                "e9ccc35fbd78354be7b811757ee50f4f4aae31d4f24d0ca36fa31c652ecb000964c372b0075944aa\
                 419168ddde19be5da071a55a8ab6303f021435b6affdd4f5d5fe522cbc3a0830cdee5105d12c763d\
                 f6837d7c08319584f1a852fa635bba07"
            )
        );
        let secret = power(&public, &y).unwrap();
        assert_eq!(
            secret,
            hex(
                "a1019abb33ccd65a6d95df19a0871a9ed92d0e346136ae9e75dd8589aa7c438b1a712d6c99601c7d\
                 78c8e9d048c70efe1a394ac5e43a297e36aaec4fd4ebea6d96ffce73cd928fc23bc328ba50551886\
                 9c25daacaabae849fba86161aea8c3e4"
            )
        );
        assert_eq!(power(&power_of_base(&y), &x), Some(secret));
    }

    #[test]
    fn powers_are_those_of_a_crate_that_others_wrote() {
        let mut rng = Rng::from_seed(1);
        let mut two = [0; LEN];
        two[LEN - 1] = 2;
        for round in 0..200 {
            let base: [u8; LEN] = std::array::from_fn(|place| match (round, place) {
                // Near the prime, where sums overflow.
                (0..50, 0..8) => 0xff,
                (_, 0) => rng.below(255) as u8,
                _ => rng.below(256) as u8,
            });
            let mut by = exponent(&mut rng);
            match round {
                0 => by = [0; EXPONENT],
                1 => by = [0xff; EXPONENT],
                _ => {}
            }
            if let Some(power) = power(&base, &by) {
                assert_eq!(power, checked(&base, &by), "round {round}");
            }
            assert_eq!(power_of_base(&by), checked(&two, &by), "round {round}");
        }
    }

    #[test]
    fn numbers_whose_powers_everybody_knows_are_refused() {
        let by = [0x5a; EXPONENT];
        let (mut numbers, mut near) = (vec![[0; LEN], [0xff; LEN]], P);
        numbers.push(std::array::from_fn(|at| u8::from(at == LEN - 1)));
        for add in -1..=1_i64 {
            near[0] = P[0].wrapping_add_signed(add);
            numbers.push(to_bytes(&near));
        }
        for number in numbers {
            assert_eq!(power(&number, &by), None, "{number:02x?}");
        }
        near[0] = P[0] - 2;
        assert_eq!(
            power(&to_bytes(&near), &by),
            Some(checked(&to_bytes(&near), &by))
        );
        let two = std::array::from_fn(|at| 2 * u8::from(at == LEN - 1));
        assert_eq!(power(&two, &by), Some(power_of_base(&by)));
    }
}
