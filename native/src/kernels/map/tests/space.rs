//! Where the elements of a map come from and go to: broadcasting, strides, element types, updates in place, boxes.
use super::*;

/// `a * b + c` by strides, and `a * b`, over every kind of layout.
struct Layout {
    dims: Vec<usize>,
    inputs: [Vec<usize>; 3],
    output: Vec<usize>,
}

fn size(dims: &[usize], strides: &[usize]) -> usize {
    1 + dims.iter().zip(strides).map(|(&n, &by)| (n.max(1) - 1) * by).sum::<usize>()
}
fn places(dims: &[usize], strides: &[usize]) -> Vec<usize> {
    let mut all = Vec::new();
    walk::each_place(dims, &walk::axes(strides), &[0; walk::RANK], |at, _| all.push(at));
    all
}

fn check(layout: &Layout, numbers: &mut Numbers) {
    let Layout { dims, inputs, output } = layout;
    let mut case = Case::new(dims);
    let mut values = Vec::new();
    for stride in inputs {
        // numbers that every type holds
        let list: Vec<f32> = (0..size(dims, stride)).map(|_| numbers.below(64) as f32 / 8.0 - 4.0).collect();
        let dtype = [Dtype::F32, Dtype::F32, Dtype::F16, Dtype::Bf16][numbers.below(4)];
        let offset = numbers.below(3);
        let shifted: Vec<f32> = std::iter::repeat_n(9.0, offset).chain(list.iter().copied()).collect();
        let slot = match dtype {
            Dtype::F16 => case.slot(&shifted.iter().map(|&x| half(x)).collect::<Vec<u16>>()),
            Dtype::Bf16 => case.slot(&shifted.iter().map(|&x| (x.to_bits() >> 16) as u16).collect::<Vec<u16>>()),
            _ => case.slot(&shifted),
        };
        case.inputs.push((dtype, stride.clone(), slot, offset));
        values.push(list);
    }
    case.temporaries = 2;
    case.code = vec![[op("mul"), 4, 0, 1, 0], [op("add"), 3, 4, 2, 0]];
    let slots: Vec<usize> = [3, 4]
        .iter()
        .map(|&register| {
            let slot = case.slot(&vec![-7f32; size(dims, output)]);
            case.outputs.push((register, Dtype::F32, output.clone(), slot, 0));
            slot
        })
        .collect();
    let at = inputs.each_ref().map(|s| places(dims, s));
    for simd in [Simd::Portable, Simd::best()] {
        let after = case.steady(simd);
        let out = slots.iter().map(|&s| floats(&after[s])).collect::<Vec<_>>();
        for (i, &to) in places(dims, output).iter().enumerate() {
            let [a, b, c] = [0, 1, 2].map(|k| values[k][at[k][i]]);
            assert_eq!(
                [out[0][to], out[1][to]],
                [a * b + c, a * b],
                "element {i} of {dims:?} by {inputs:?} into {output:?}"
            );
        }
    }
}
/// Half precision of a number that it holds exactly, as a normal one or zero.
fn half(x: f32) -> u16 {
    let bits = x.to_bits();
    if x == 0.0 { 0 } else { ((bits >> 16 & 0x8000) | ((bits & 0x7fff_ffff) - (112 << 23)) >> 13) as u16 }
}

#[test]
fn the_common_layouts_give_each_element_its_own_operands() {
    let mut numbers = Numbers::new(3);
    let layouts = [
        (vec![], [vec![], vec![], vec![]]),
        (vec![20_000], [vec![1], vec![0], vec![1]]),
        // a row, a column
        (vec![700, 3], [vec![3, 1], vec![0, 1], vec![1, 0]]),
        (vec![40, 300], [vec![300, 1], vec![0, 1], vec![1, 0]]),
        (vec![9, 4097], [vec![4097, 1], vec![0, 1], vec![1, 0]]),
        // transposed
        (vec![130, 257], [vec![1, 130], vec![257, 1], vec![0, 0]]),
        (vec![3, 1000], [vec![1, 3], vec![1, 5], vec![1000, 1]]),
        (vec![1000, 5], [vec![1, 1001], vec![5, 1], vec![1, 1000]]),
        // attention's mask and bias, heads to the front
        (vec![2, 3, 17, 19], [vec![969, 323, 19, 1], vec![19, 0, 0, 1], vec![0, 0, 19, 1]]),
        (vec![2, 3, 40, 16], [vec![1920, 16, 48, 1], vec![1920, 640, 1, 40], vec![0, 1, 0, 3]]),
        (vec![1, 5, 1, 7], [vec![0, 7, 99, 1], vec![3, 1, 4, 5], vec![0, 0, 0, 1]]),
        (vec![4, 0, 3], [vec![0, 3, 1], vec![0, 0, 0], vec![3, 3, 1]]),
    ];
    for (dims, inputs) in layouts {
        let output = strides(&dims);
        check(&Layout { dims, inputs, output }, &mut numbers);
    }
}

#[test]
fn any_layout_gives_each_element_its_own_operands() {
    let mut numbers = Numbers::new(4);
    for _ in 0..120 {
        let rank = numbers.below(5) + 1;
        let most = [9000, 90, 24, 12, 7][rank - 1];
        let dims: Vec<usize> =
            (0..rank).map(|_| [1, numbers.below(most) + 1][usize::from(numbers.below(6) > 0)]).collect();
        let mut stride = |may_repeat: bool| {
            let mut order: Vec<usize> = (0..rank).collect();
            (0..numbers.below(3) * rank).for_each(|_| order.swap(numbers.below(rank), rank - 1));
            let (mut strides, mut by) = (vec![0; rank], 1 + numbers.below(8) / 7);
            for &d in order.iter().rev() {
                if !may_repeat || numbers.below(3) > 0 {
                    strides[d] = by;
                    by *= dims[d] + numbers.below(6) / 5;
                }
            }
            strides
        };
        let layout = Layout { inputs: [stride(true), stride(true), stride(true)], output: stride(false), dims };
        check(&layout, &mut numbers);
    }
}

#[test]
fn whole_numbers_and_booleans_are_widened_and_narrowed() {
    let mut case = Case::new(&[3, 700]);
    let n = 2100;
    let long: Vec<i64> = (0..n as i64).map(|i| i * 1000 - 900_000).collect();
    let flags: Vec<u8> = (0..n).map(|i| u8::from(i % 3 == 0)).collect();
    let (a, b) = (case.slot(&long), case.slot(&flags));
    case.inputs = vec![(Dtype::I64, vec![700, 1], a, 0), (Dtype::Bool, vec![1, 3], b, 0)];
    case.temporaries = 2;
    case.code = vec![[op("negI"), 2, 0, 0, 0], [op("where"), 3, 1, 2, 0], [op("not"), 2, 1, 0, 0]];
    let (x, y) = (case.slot(&vec![0i64; n]), case.slot(&vec![9u8; n]));
    case.outputs = vec![(3, Dtype::I64, vec![700, 1], x, 0), (2, Dtype::Bool, vec![700, 1], y, 0)];
    for simd in Simd::all() {
        let after = case.steady(simd);
        for i in 0..n {
            let flag = flags[i / 700 + i % 700 * 3];
            let want = if flag == 1 { -long[i] } else { long[i] };
            assert_eq!(i64::from_le_bytes(after[x][8 * i..8 * i + 8].try_into().unwrap()), want);
            assert_eq!(after[y][i], 1 - flag);
        }
    }
}

#[test]
fn an_update_in_place_reads_each_element_before_it_is_written() {
    // w and m are both replaced, and each new value needs both old ones
    for n in [1, 17, 513, 40_000] {
        let mut numbers = Numbers::new(5);
        let (w, m) = (numbers.floats(n), numbers.floats(n));
        let mut case = Case::new(&[n]);
        case.input(&w);
        case.input(&m);
        case.constants = vec![0.5f32.to_bits()];
        case.temporaries = 2;
        case.code = vec![[op("mul"), 3, 2, 1, 0], [op("add"), 4, 0, 3, 0], [op("sub"), 3, 0, 1, 0]];
        case.outputs = vec![(4, Dtype::F32, vec![1], 0, 0), (3, Dtype::F32, vec![1], 1, 0)];
        for simd in Simd::all() {
            let after = case.steady(simd);
            let (new_w, new_m) = (floats(&after[0]), floats(&after[1]));
            for i in 0..n {
                assert_eq!([new_w[i], new_m[i]], [w[i] + 0.5 * m[i], w[i] - m[i]]);
            }
        }
    }
}

#[test]
fn uniform_numbers_are_those_of_the_reference() {
    // printed by src/ops/random.ts for elements 0, 1, 2, 3, 599 and 20010
    let known = [
        (42u32, 33_350_994u32, [11_935_678u32, 2_446_487, 1_316_310, 12_451_610, 6_102_779, 15_087_384]),
        (u32::MAX, 1_626_593_482, [10_241_839, 609_398, 6_447_661, 15_883_368, 3_523_709, 9_248_453]),
    ];
    for (seed, stream, want) in known {
        for dims in [vec![20_011], vec![2859, 7], vec![1, 20_011]] {
            let mut case = Case::new(&dims);
            let slot = case.slot(&[seed]);
            case.inputs.push((Dtype::U32, vec![0; dims.len()], slot, 0));
            // memory that is crossed makes blocks of several rows, which must not change the numbers
            let across = case.slot(&vec![0f32; 20_013]);
            let by = if dims.len() == 1 { vec![1] } else { vec![1, dims[0]] };
            case.inputs.push((Dtype::F32, by, across, 0));
            case.constants = vec![stream];
            case.temporaries = 2;
            case.code = vec![[op("uniform"), 3, 0, 2, 0], [op("add"), 4, 3, 1, 0]];
            let out = case.output(4);
            for simd in Simd::all() {
                let values = floats(&case.steady(simd)[out]);
                let given = [0, 1, 2, 3, 599, 20_010].map(|i| (values[i] * 16_777_216.0) as u32);
                assert_eq!(given, want);
            }
        }
    }
}

#[test]
fn a_box_carries_out_its_own_elements_and_no_others() {
    let dims = [3, 40, 70];
    let mut numbers = Numbers::new(6);
    let x = numbers.floats(8400);
    let mut case = Case::new(&dims);
    case.input(&x);
    let row = numbers.floats(70);
    let slot = case.slot(&row);
    case.inputs.push((Dtype::F32, vec![0, 0, 1], slot, 0));
    case.temporaries = 1;
    case.code = vec![[op("mul"), 2, 0, 1, 0]];
    case.outputs = vec![(2, Dtype::F32, strides(&dims), 0, 0)];
    let words = case.words();
    let slots: Vec<Slot> = case.slots.iter().map(|s| Slot { bytes: s.len() }).collect();
    let map = Map::read(&mut Reader::new(&words, &slots)).unwrap();
    assert!(map.dims() == dims && !map.has_reductions());
    let own = Buffer::new(map.own_scratch()).unwrap();
    for (low, high) in
        [([0, 0, 0], [3, 40, 70]), ([1, 3, 5], [2, 17, 37]), ([2, 39, 69], [3, 40, 70]), ([0, 5, 0], [0, 6, 1])]
    {
        let mut data = x.clone();
        let memory = Memory {
            slots: vec![data.as_mut_ptr().cast(), row.as_ptr().cast_mut().cast()],
            shared: std::ptr::null_mut(),
            own: Vec::new(),
        };
        // SAFETY: the slots and the scratch are as long as asked for
        unsafe { map.run_box(&memory, own.address(), &low, &high) };
        for (i, &value) in data.iter().enumerate() {
            let at = [i / 2800, i / 70 % 40, i % 70];
            let inside = (0..3).all(|d| low[d] <= at[d] && at[d] < high[d]);
            assert_eq!(value, if inside { x[i] * row[at[2]] } else { x[i] });
        }
    }
}

#[test]
fn a_map_that_does_not_fit_is_refused() {
    let good = || {
        let mut case = Case::new(&[4, 8]);
        case.input(&[0.0; 32]);
        case.constants = vec![0];
        case.temporaries = 1;
        case.code = vec![[op("add"), 2, 0, 1, 0]];
        case.output(2);
        case
    };
    let refused = |change: fn(&mut Case)| {
        let mut case = good();
        change(&mut case);
        case.read(Simd::best()).is_err()
    };
    assert!(!refused(|_| ()));
    assert!(refused(|c| c.dims = vec![5, 8]));
    assert!(refused(|c| c.dims = vec![1; 9]));
    assert!(refused(|c| c.inputs[0].1 = vec![8, 2]));
    assert!(refused(|c| c.inputs[0].2 = 9));
    assert!(refused(|c| c.outputs[0].2 = vec![0, 1]));
    assert!(refused(|c| c.outputs[0].0 = 3));
    assert!(refused(|c| c.code[0][0] = OPS.len()));
    assert!(refused(|c| c.code[0][1] = 1));
    assert!(refused(|c| c.code[0][1] = 3));
    assert!(refused(|c| c.code[0][3] = 2));
    assert!(refused(|c| c.code.clear()));
    assert!(refused(|c| c.temporaries = 1 << 30));
    assert!(refused(|c| c.reductions.push((2, 2, 3, vec![0, 0], 0, 0))));
    assert!(refused(|c| c.reductions.push((0, 2, 4, vec![0, 0], 0, 0))));
    assert!(refused(|c| c.reductions.push((0, 2, 1, vec![1, 1], 0, 0))));
    assert!(refused(|c| c.reductions.push((0, 2, 1, vec![0, 5], 0, 0))));
    let words = good().words();
    for end in 0..words.len() {
        assert!(Map::read(&mut Reader::new(&words[..end], &[Slot { bytes: 128 }, Slot { bytes: 128 }])).is_err());
    }
}
