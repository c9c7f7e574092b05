use super::*;
use crate::memory::Buffer;
use crate::team::Team;

/// Numbers that look random, and are small enough that errors stay small.
fn numbers(n: usize, seed: u32) -> Vec<f32> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..n).map(|_| next()).collect()
}

/// A product with memory of its own, and the strides of its sides.
struct Case {
    a: Vec<f32>,
    b: Vec<f32>,
    c: Vec<f32>,
    p: Product,
}
// SAFETY: the addresses are those of the vectors beside them
unsafe impl Sync for Case {}

type Strides = (usize, usize);
fn span(rows: usize, columns: usize, (rows_by, columns_by): Strides) -> usize {
    rows.saturating_sub(1) * rows_by + columns.saturating_sub(1) * columns_by + 1
}

fn case((m, n, k): (usize, usize, usize), a_by: Strides, b_by: Strides, alpha: f32, accumulate: bool) -> Case {
    let (a, b) = (numbers(span(m, k, a_by), 1), numbers(span(k, n, b_by), 2));
    let mut c = numbers(m * (n + 3), 3);
    if !accumulate {
        c.fill(f32::NAN);
    }
    let matrix = |v: &[f32], by: Strides| Matrix { at: v.as_ptr(), rows_by: by.0, columns_by: by.1 };
    let (a_matrix, b_matrix) = (matrix(&a, a_by), matrix(&b, b_by));
    let p = Product { m, n, k, a: a_matrix, b: b_matrix, c: c.as_mut_ptr(), c_row: n + 3, alpha, accumulate };
    Case { a, b, c, p }
}

/// What each element should be, and how much rounding may take from it.
fn expected(case: &Case) -> Vec<(f64, f64)> {
    let p = &case.p;
    let element = |i: usize, j: usize| {
        let terms = (0..p.k).map(|q| {
            let x = case.a[i * p.a.rows_by + q * p.a.columns_by];
            f64::from(x) * f64::from(case.b[q * p.b.rows_by + j * p.b.columns_by])
        });
        let (sum, size) = terms.fold((0.0, 0.0), |(sum, size), t| (sum + t, size + t.abs()));
        let before = if p.accumulate { f64::from(case.c[i * p.c_row + j]) } else { 0.0 };
        let unit = f64::max(1e-6, p.k as f64 * 3e-8);
        let bound = (size * f64::from(p.alpha).abs() + before.abs()) * unit + 1e-30;
        (before + f64::from(p.alpha) * sum, bound)
    };
    (0..p.m * p.n).map(|at| element(at / p.n, at % p.n)).collect()
}

fn check(case: &Case, expected: &[(f64, f64)], before: &[f32], what: &str) {
    let p = &case.p;
    for i in 0..p.m {
        for j in 0..p.n {
            let (value, bound) = expected[i * p.n + j];
            let got = f64::from(case.c[i * p.c_row + j]);
            assert!((got - value).abs() <= bound, "{what}: [{i} {j}] of {p:?} is {got}, not {value}");
        }
        let past = i * p.c_row + p.n..(i + 1) * p.c_row;
        let kept = case.c[past.clone()].iter().zip(&before[past]).all(|(x, y)| x.to_bits() == y.to_bits());
        assert!(kept, "{what}: wrote past the end of row {i} of {p:?}");
    }
}

fn sets() -> impl Iterator<Item = (Level, &'static Set)> {
    [Level::Avx512, Level::Avx2, Level::Neon, Level::Plain].into_iter().filter_map(|l| Some((l, Set::at(l)?)))
}

/// Scratch of exactly so many bytes, with a mark behind them.
fn scratch(bytes: usize) -> Buffer {
    let mut buffer = Buffer::new(bytes + 64).unwrap();
    buffer.slice_mut()[bytes..].fill(77);
    buffer
}

fn alone(set: &Set, case: &Case) {
    let bytes = set.scratch_alone(case.p.m, case.p.n, case.p.k);
    let scratch = scratch(bytes);
    // SAFETY: the case's vectors hold its matrices
    unsafe { set.alone(&case.p, scratch.address().cast()) };
    assert!(scratch.slice()[bytes..].iter().all(|&x| x == 77), "wrote past the scratch of {:?}", case.p);
}

fn together(set: &Set, case: &Case, threads: usize) -> usize {
    let need = set.scratch_team(case.p.m, case.p.n, case.p.k);
    let shared = scratch(need.shared);
    let own: Vec<Buffer> = (0..threads).map(|_| scratch(need.own)).collect();
    let finished = std::sync::atomic::AtomicUsize::new(0);
    let run = Team::new(threads).run(&|worker| {
        let finish = |rows: Range<usize>, cols: Range<usize>| {
            finished.fetch_add(rows.len() * cols.len(), std::sync::atomic::Ordering::Relaxed);
        };
        let own = own[worker.index].address().cast();
        // SAFETY: the case's vectors hold its matrices
        unsafe { set.team(worker, &case.p, shared.address().cast(), own, &finish) };
    });
    run.unwrap();
    assert!(shared.slice()[need.shared..].iter().all(|&x| x == 77), "wrote past the common scratch of {:?}", case.p);
    assert!(own.iter().all(|o| o.slice()[need.own..].iter().all(|&x| x == 77)), "wrote past the own of {:?}", case.p);
    finished.into_inner()
}

/// By each instruction set, alone and by a team, against double precision, and the team's bits against those of one thread.
fn hold(sizes: (usize, usize, usize), a_by: Strides, b_by: Strides, alpha: f32, accumulate: bool) {
    let fresh = || case(sizes, a_by, b_by, alpha, accumulate);
    let first = fresh();
    let expected = expected(&first);
    for (level, set) in sets() {
        let one = fresh();
        alone(set, &one);
        check(&one, &expected, &first.c, &format!("{level:?} alone"));
        for threads in [1, 3] {
            let many = fresh();
            assert_eq!(together(set, &many, threads), sizes.0 * sizes.1, "{level:?}: blocks finished of {sizes:?}");
            check(&many, &expected, &first.c, &format!("{level:?} by {threads}"));
            let same = one.c.iter().zip(&many.c).all(|(x, y)| x.to_bits() == y.to_bits());
            assert!(same, "{level:?}: {threads} threads give other bits than one, for {sizes:?}");
        }
    }
}

#[test]
fn sizes_off_every_boundary_give_what_double_precision_gives() {
    let sizes = [1, 2, 13, 14, 15, 31, 33];
    for m in sizes {
        for n in sizes {
            for k in [1, 15, 33] {
                hold((m, n, k), (k, 1), (n, 1), 1.0, false);
            }
        }
    }
}

#[test]
fn every_pair_of_layouts_gives_the_same() {
    for (m, n, k) in [(5, 31, 33), (14, 100, 15), (120, 17, 70), (1, 33, 20), (33, 1, 20)] {
        for a_by in [
            (k, 1),
            (1, m),
            (k + 5, 1),
            (1, m + 3),
            (2 * k + 1, 2),
            (3, 3 * m),
            (1024, 1),
            (1, 1024),
            (0, 1),
            (1, 0),
            (0, 0),
        ] {
            for b_by in [(n, 1), (1, k), (n + 3, 1), (1, k + 5), (2 * n, 2), (0, 1), (1, 0), (0, 0)] {
                hold((m, n, k), a_by, b_by, 1.0, false);
            }
        }
    }
}

#[test]
fn a_factor_and_what_was_there_before_are_counted_once() {
    for (m, n, k) in [(15, 33, 1000), (257, 100, 385), (3, 50, 2000)] {
        for (alpha, accumulate) in [(0.5, false), (-2.0, true), (1.0, true)] {
            hold((m, n, k), (1, m), (n, 1), alpha, accumulate);
            hold((m, n, k), (k, 1), (1, k), alpha, accumulate);
        }
    }
}

#[test]
fn more_than_the_common_scratch_holds_is_done_in_turns() {
    hold((113, 40, 2100), (2100, 1), (40, 1), 1.0, true);
    hold((115, 300, 140), (1, 115), (1, 140), 1.0, false);
}

#[test]
fn an_empty_sum_is_zero_and_an_empty_product_is_nothing() {
    for (accumulate, n) in [(false, 40), (true, 40), (false, 1)] {
        hold((20, n, 0), (0, 1), (n, 1), 2.0, accumulate);
    }
    hold((0, 10, 10), (10, 1), (10, 1), 1.0, false);
    hold((10, 0, 10), (10, 1), (0, 1), 1.0, false);
}

#[test]
fn the_peak_is_a_speed() {
    assert!(peak(1) > 0.001);
}
