//! Products against plain loops: batches, strides, nothing at all, and what is refused.
use super::matmul::read;
use crate::kernel::Kernel;
use crate::reader::Slot;
use crate::reader::{Reader, Result};

const SIZE: usize = 1 << 16;

/// The words of a product of slots 0 and 1 into slot 2, all from their start.
fn words(batch: &[usize], mnk: [usize; 3], a: &[usize], b: &[usize], c: &[usize], accumulate: bool) -> Vec<u32> {
    let mut words = vec![batch.len()];
    words.extend(batch);
    words.extend(mnk);
    for (slot, strides) in [a, b, c].into_iter().enumerate() {
        words.extend(strides);
        words.extend([slot, 0]);
    }
    words.extend([1.5f32.to_bits() as usize, usize::from(accumulate), 0]);
    words.into_iter().map(|w| w as u32).collect()
}

fn attempt(words: &[u32]) -> Result<Box<dyn Kernel>> {
    let slots = [Slot { bytes: SIZE * 4 }; 3];
    let mut r = Reader::new(words, &slots);
    let kernel = read(&mut r)?;
    assert!(r.done());
    Ok(kernel)
}

/// What slot 2 holds afterwards.
fn run(words: &[u32], threads: usize) -> Vec<f32> {
    let words: Vec<usize> = words.iter().map(|&w| w as usize).collect();
    let mut slots: Vec<Vec<f32>> =
        (0..3).map(|i| (0..SIZE).map(|j| (j * (7 + i) % 23) as f32 - 11.0).collect()).collect();
    super::image_testing::run(&read, &words, &mut slots, threads).unwrap();
    slots.swap_remove(2)
}

/// The same by loops over two batch axes; the numbers are whole, so that every order of sums is exact.
fn slow(batch: [usize; 2], [m, n, k]: [usize; 3], a: [usize; 4], b: [usize; 4], c: [usize; 3], add: bool) -> Vec<f32> {
    let at = |slot: usize, j: usize| (j * (7 + slot) % 23) as f32 - 11.0;
    let mut out: Vec<f32> = (0..SIZE).map(|j| at(2, j)).collect();
    for i in 0..batch[0] * batch[1] * m * n {
        let (x, y, row, column) = (i / n / m / batch[1], i / n / m % batch[1], i / n % m, i % n);
        let term = |q: usize| {
            let left = at(0, x * a[0] + y * a[1] + row * a[2] + q * a[3]);
            left * at(1, x * b[0] + y * b[1] + q * b[2] + column * b[3])
        };
        let place = x * c[0] + y * c[1] + row * c[2] + column;
        out[place] = (0..k).map(term).sum::<f32>() * 1.5 + if add { out[place] } else { 0.0 };
    }
    out
}

#[test]
fn a_batch_reads_and_writes_by_its_strides() {
    let cases = [
        ([3, 5], [7, 9, 11], [400, 80, 11, 1], [0, 99, 9, 1], [400, 70, 9]),
        ([2, 3], [17, 8, 20], [1020, 20, 60, 1], [480, 8, 24, 1], [408, 8, 24]),
        ([1, 1], [100, 90, 70], [0, 0, 1, 100], [0, 0, 1, 70], [0, 0, 95]),
        ([1, 2], [110, 110, 110], [0, 5, 110, 1], [0, 0, 110, 1], [0, 12100, 110]),
        ([9, 2], [1, 33, 5], [10, 5, 7, 1], [3, 0, 33, 1], [66, 33, 1000]),
        ([2, 2], [3, 4, 0], [0, 0, 0, 0], [0, 0, 0, 0], [24, 12, 4]),
    ];
    for (batch, mnk, a, b, c) in cases {
        for add in [false, true] {
            let expected = slow(batch, mnk, a, b, c, add);
            for threads in [1, 3] {
                let got = run(&words(&batch, mnk, &a, &b, &c, add), threads);
                assert!(got == expected, "{batch:?} {mnk:?} by {threads}");
            }
        }
    }
}

#[test]
fn a_product_of_no_elements_leaves_everything_as_it_was() {
    for (batch, mnk) in [(&[0, 3][..], [4, 4, 4]), (&[], [0, 4, 4]), (&[2], [4, 0, 4])] {
        let strides = vec![16; batch.len() + 2];
        let got = run(&words(batch, mnk, &strides, &strides, &strides[1..], false), 3);
        assert!(got.iter().enumerate().all(|(j, &x)| x == (j * 9 % 23) as f32 - 11.0));
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let good = words(&[2], [4, 5, 6], &[24, 6, 1], &[30, 5, 1], &[20, 5], false);
    assert!(attempt(&good).is_ok());
    for cut in 0..good.len() {
        assert!(attempt(&good[..cut]).is_err());
    }
    let refused = |batch: &[usize], mnk, a: &[usize], b: &[usize], c: &[usize]| {
        assert!(attempt(&words(batch, mnk, a, b, c, false)).is_err());
    };
    refused(&[2], [4, 5, 6], &[24, 6, 1], &[30, 5, 1], &[0, 5]);
    refused(&[2], [4, 5, 6], &[24, 6, 1], &[30, 5, 1], &[20, 4]);
    refused(&[2], [4, 5, 6], &[SIZE, 6, 1], &[30, 5, 1], &[20, 5]);
    refused(&[2], [4, 5, 6], &[24, 6, 1], &[30, SIZE, 1], &[20, 5]);
    refused(&[1 << 31, 1 << 31, 1 << 31], [4, 5, 6], &[0, 0, 0, 0, 0], &[0, 0, 0, 0, 0], &[0, 0, 0, 0]);
    refused(&[1; 7], [1, 1, 1], &[1; 9], &[1; 9], &[1; 8]);
}
