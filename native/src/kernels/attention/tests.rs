//! Attention and its gradient beside plain loops in double precision.
use super::super::testing::{Case, close, random};

/// A tensor of up to four axes in some layout.
struct Tensor {
    dims: Vec<usize>,
    strides: Vec<usize>,
    slot: usize,
    values: Vec<f32>,
}
impl Tensor {
    fn at(&self, i: &[usize]) -> f64 {
        f64::from(self.values[i.iter().zip(&self.strides).map(|(i, s)| i * s).sum::<usize>()])
    }
    /// All elements in order, from the slot's contents.
    fn read(&self, slots: &[Vec<f32>]) -> Vec<f32> {
        let mut found = vec![];
        each(&self.dims, |i| {
            found.push(slots[self.slot][i.iter().zip(&self.strides).map(|(i, s)| i * s).sum::<usize>()]);
        });
        found
    }
}
fn each(dims: &[usize], mut f: impl FnMut(&[usize])) {
    for n in 0..dims.iter().product() {
        let (mut i, mut rest) = (vec![0; dims.len()], n);
        for d in (0..dims.len()).rev() {
            (i[d], rest) = (rest % dims[d], rest / dims[d]);
        }
        f(&i);
    }
}

#[derive(Clone, Copy, Default, Debug)]
struct Shape {
    b: usize,
    h: usize,
    g: usize,
    t: usize,
    s: usize,
    d: usize,
    e: usize,
    causal: bool,
    segments: bool,
    mask: bool,
    /// The order in which axes lie in memory, and the space between elements.
    order: [usize; 4],
    gap: usize,
}
const DENSE: [usize; 4] = [0, 1, 2, 3];
/// Heads beside each other, as projections leave them.
const BESIDE: [usize; 4] = [0, 2, 1, 3];

/// The words of both kernels as far as they are the same, and what they say.
struct Setup {
    case: Case,
    shape: Shape,
    q: Tensor,
    k: Tensor,
    v: Tensor,
    mask: Option<Tensor>,
    ids: Option<[Vec<i32>; 2]>,
}
const SCALE: f32 = 0.3;

fn tensor(case: &mut Case, shape: &Shape, dims: &[usize], seed: Option<u32>) -> Tensor {
    let mut strides = vec![0; dims.len()];
    let mut step = shape.gap;
    for d in shape.order.into_iter().filter(|&d| d < dims.len()).rev() {
        (strides[d], step) = (step, step * dims[d]);
    }
    let n = if dims.contains(&0) { 0 } else { dims.iter().zip(&strides).map(|(n, s)| (n - 1) * s).sum::<usize>() + 1 };
    let values = seed.map_or(vec![f32::NAN; n], |seed| random(seed, n));
    let slot = case.slot(&values);
    case.numbers(&strides).numbers(&[slot, 0]);
    Tensor { dims: dims.to_vec(), strides, slot, values }
}

impl Setup {
    fn new(shape: Shape) -> Setup {
        let Shape { b, h, g, t, s, d, e, .. } = shape;
        let mut case = Case::default();
        case.numbers(&[b, h, g, t, s, d, e]).float(SCALE);
        case.numbers(&[shape.causal, shape.segments, shape.mask].map(usize::from));
        let q = tensor(&mut case, &shape, &[b, h, t, d], Some(1));
        let k = tensor(&mut case, &shape, &[b, g, s, d], Some(2));
        let v = tensor(&mut case, &shape, &[b, g, s, e], Some(3));
        let ids = shape.segments.then(|| {
            [t, s].map(|n| {
                let ids: Vec<i32> = (0..b * n).map(|i| (i % n * 3 / n) as i32).collect();
                case.numbers(&[n, 1]);
                case.whole(&ids);
                ids
            })
        });
        let mask = shape.mask.then(|| tensor(&mut case, &shape, &[b, h, t, s], Some(4)));
        Setup { case, shape, q, k, v, mask, ids }
    }

    /// One row's masked scores, and its head of keys.
    fn scores(&self, i: &[usize]) -> (Vec<f64>, usize) {
        let Shape { h, g, t, s, d, .. } = self.shape;
        let (b, head, query) = (i[0], i[1], i[2]);
        let group = head / (h / g);
        let scores = (0..s).map(|key| {
            let product: f64 = (0..d).map(|x| self.q.at(&[b, head, query, x]) * self.k.at(&[b, group, key, x])).sum();
            let later = self.shape.causal && key + t > query + s;
            let apart = self.ids.as_ref().is_some_and(|[own, other]| own[b * t + query] != other[b * s + key]);
            let added = self.mask.as_ref().map_or(0.0, |mask| mask.at(&[b, head, query, key]));
            product * f64::from(SCALE) + added + if later || apart { -1e9 } else { 0.0 }
        });
        (scores.collect(), group)
    }
}

fn probabilities(scores: &[f64]) -> (Vec<f64>, f64) {
    let top = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = scores.iter().map(|x| (x - top).exp()).sum();
    (scores.iter().map(|x| (x - top).exp() / sum).collect(), top + sum.ln())
}

/// Value and log-sum-exp.
fn forward(setup: &Setup) -> (Vec<f64>, Vec<f64>) {
    let Shape { b, h, t, e, .. } = setup.shape;
    let (mut y, mut sums) = (vec![], vec![]);
    each(&[b, h, t], |i| {
        let (scores, group) = setup.scores(i);
        let (p, lse) = probabilities(&scores);
        sums.push(lse);
        y.extend((0..e).map(|x| p.iter().enumerate().map(|(s, p)| p * setup.v.at(&[i[0], group, s, x])).sum::<f64>()));
    });
    (y, sums)
}

/// Gradients of q, k and v.
fn backward(setup: &Setup, y: &[f64], g: &Tensor) -> [Vec<f64>; 3] {
    let Shape { b, h, g: groups, t, s, d, e, .. } = setup.shape;
    let (mut dq, mut dk, mut dv) =
        (vec![0.0; b * h * t * d], vec![0.0; b * groups * s * d], vec![0.0; b * groups * s * e]);
    let mut row = 0;
    each(&[b, h, t], |i| {
        let (scores, group) = setup.scores(i);
        let (p, _) = probabilities(&scores);
        let g = |x: usize| g.at(&[i[0], i[1], i[2], x]);
        let delta: f64 = (0..e).map(|x| g(x) * y[row * e + x]).sum();
        for (key, p) in p.iter().enumerate() {
            let at = (i[0] * groups + group) * s + key;
            let dp: f64 = (0..e).map(|x| g(x) * setup.v.at(&[i[0], group, key, x])).sum();
            let ds = p * (dp - delta) * f64::from(SCALE);
            for x in 0..d {
                dq[row * d + x] += ds * setup.k.at(&[i[0], group, key, x]);
                dk[at * d + x] += ds * setup.q.at(&[i[0], i[1], i[2], x]);
            }
            (0..e).for_each(|x| dv[at * e + x] += p * g(x));
        }
        row += 1;
    });
    [dq, dk, dv]
}

fn check(shape: Shape) {
    let Shape { b, h, g, t, s, d, e, .. } = shape;
    let mut setup = Setup::new(shape);
    let (y, sums) = forward(&setup);
    let (words, slots) = (setup.case.words.clone(), setup.case.slots.len());
    let out = tensor(&mut setup.case, &shape, &[b, h, t, e], None);
    let lse = tensor(&mut setup.case, &shape, &[b, h, t], None);
    for threads in [1, 3] {
        let slots = setup.case.run("attention", threads).unwrap();
        close(&format!("y of {shape:?}"), &out.read(&slots), &y, 1e-5);
        close(&format!("lse of {shape:?}"), &lse.read(&slots), &sums, 1e-5);
    }
    if b * h * t * s * d * e > 0 {
        setup.case.refuses_what_does_not_fit("attention");
    }
    setup.case.words = words;
    setup.case.slots.truncate(slots);
    for (dims, exact) in [(vec![b, h, t, e], &y), (vec![b, h, t], &sums)] {
        let given = tensor(&mut setup.case, &shape, &dims, Some(5));
        let mut exact = exact.iter();
        let strides = given.strides.clone();
        let values = &mut setup.case.slots[given.slot];
        each(&dims, |i| {
            values[i.iter().zip(&strides).map(|(i, s)| i * s).sum::<usize>()] = *exact.next().unwrap() as f32
        });
    }
    let given = tensor(&mut setup.case, &shape, &[b, h, t, e], Some(6));
    let results = [[b, h, t, d], [b, g, s, d], [b, g, s, e]].map(|dims| tensor(&mut setup.case, &shape, &dims, None));
    let want = backward(&setup, &y, &given);
    for threads in [1, 3] {
        let slots = setup.case.run("attentionGrad", threads).unwrap();
        for ((name, result), want) in ["dq", "dk", "dv"].into_iter().zip(&results).zip(&want) {
            close(&format!("{name} of {shape:?}"), &result.read(&slots), want, 2e-5);
        }
        assert_eq!(slots_of(&slots, &results), slots_of(&setup.case.run("attentionGrad", threads).unwrap(), &results));
    }
    if b * h * t * s * d * e > 0 {
        setup.case.refuses_what_does_not_fit("attentionGrad");
    }
}
fn slots_of(slots: &[Vec<f32>], results: &[Tensor; 3]) -> Vec<Vec<f32>> {
    results.iter().map(|r| r.read(slots)).collect()
}

fn plain(b: usize, h: usize, t: usize, s: usize, d: usize) -> Shape {
    Shape { b, h, g: h, t, s, d, e: d, order: DENSE, gap: 1, ..Shape::default() }
}

#[test]
fn attention_and_its_gradient_are_what_double_precision_says() {
    check(plain(2, 3, 5, 7, 4));
    check(plain(1, 2, 33, 65, 32));
    check(plain(1, 1, 100, 100, 64));
    check(plain(1, 1, 1, 300, 8));
    check(plain(1, 1, 40, 530, 20));
    check(Shape { e: 9, ..plain(1, 2, 34, 20, 5) });
    check(Shape { order: BESIDE, ..plain(2, 2, 35, 40, 17) });
    check(Shape { gap: 2, order: [3, 0, 2, 1], ..plain(2, 2, 33, 15, 16) });
}

#[test]
fn what_is_hidden_has_no_say() {
    for (causal, segments, mask) in (0..8).map(|i| (i & 1 > 0, i & 2 > 0, i & 4 > 0)) {
        let masked = |shape| check(Shape { causal, segments, mask, ..shape });
        masked(plain(2, 2, 67, 67, 16));
        masked(plain(1, 1, 5, 40, 8));
        masked(Shape { order: BESIDE, ..plain(2, 1, 270, 270, 8) });
    }
}

#[test]
fn heads_of_keys_are_shared_by_neighbouring_heads_of_queries() {
    check(Shape { g: 2, causal: true, order: BESIDE, ..plain(2, 6, 33, 33, 8) });
    check(Shape { g: 1, segments: true, ..plain(1, 4, 70, 70, 32) });
}

#[test]
fn few_queries_read_keys_and_values_where_they_lie() {
    for (causal, segments, mask) in (0..8).map(|i| (i & 1 > 0, i & 2 > 0, i & 4 > 0)) {
        for queries in [1, 3, 8] {
            let masked = |shape| check(Shape { causal, segments, mask, ..shape });
            masked(plain(2, 2, queries, 67, 20));
            masked(Shape { g: 2, e: 9, ..plain(2, 6, queries, 40, 16) });
            masked(Shape { g: 1, order: BESIDE, ..plain(1, 4, queries, 33, 8) });
        }
    }
    check(Shape { gap: 2, order: [3, 0, 2, 1], ..plain(2, 2, 1, 15, 16) });
}

#[test]
fn a_query_that_sees_nothing_stays_finite() {
    let shape = Shape { causal: true, ..plain(1, 1, 50, 10, 8) };
    let mut setup = Setup::new(shape);
    let (y, lse) = (setup.case.slots.len(), setup.case.slots.len() + 1);
    tensor(&mut setup.case, &shape, &[1, 1, 50, 8], None);
    tensor(&mut setup.case, &shape, &[1, 1, 50], None);
    let slots = setup.case.run("attention", 2).unwrap();
    assert!(slots[y].iter().chain(&slots[lse]).all(|x| x.is_finite()));
    // the last queries see as they should
    let (want, _) = forward(&setup);
    close("y", &slots[y][40 * 8..], &want[40 * 8..], 1e-5);
}

#[test]
fn without_keys_queries_or_width_there_is_nothing_to_do() {
    for shape in [plain(0, 2, 3, 4, 5), plain(2, 2, 0, 4, 5), plain(1, 1, 3, 4, 0), plain(1, 2, 0, 0, 8)] {
        check(shape);
    }
    let shape = plain(1, 2, 3, 0, 4);
    let mut setup = Setup::new(shape);
    let y = tensor(&mut setup.case, &shape, &[1, 2, 3, 4], None);
    let lse = tensor(&mut setup.case, &shape, &[1, 2, 3], None);
    let slots = setup.case.run("attention", 2).unwrap();
    assert!(y.read(&slots).iter().all(|&x| x == 0.0) && lse.read(&slots).iter().all(|&x| x == f32::NEG_INFINITY));
}
