//! A map's instructions as they run: registers assigned anew, so that none is written while it is read and few are needed.
use super::ops::{COPY, OPS, Run, TABLE, counts};
use crate::reader::{Reader, Result};
use crate::simd::Simd;

/// Temporaries that a plan may name.
const MOST: usize = 1 << 16;

#[derive(Clone, Copy)]
pub struct Step {
    pub run: Run,
    /// Whether the result is one lane for the whole block, as are all operands.
    pub single: bool,
    pub dst: usize,
    pub operands: [usize; 3],
}

/// Registers: inputs, constants, the element's number where an instruction counts, then temporaries.
pub struct Code {
    pub steps: Vec<Step>,
    pub constants: Vec<u32>,
    pub registers: usize,
    /// The register of the element's number.
    pub index: Option<usize>,
}

/// An instruction whose registers are values: each is written once.
struct Assigned {
    op: usize,
    operands: [usize; 3],
    value: usize,
    /// Which operands are one lane, and whether the value is.
    mask: usize,
    single: bool,
}

impl Code {
    /// Reads constants and instructions; `singles` says which inputs are one number for the whole space, `results` are the registers that are used at the end, and become those of the new assignment.
    pub fn read(r: &mut Reader, singles: Vec<bool>, results: &mut [usize], simd: Simd) -> Result<Code> {
        let count = r.count()?;
        let constants = (0..count).map(|_| r.u32()).collect::<Result<Vec<u32>>>()?;
        let temporaries = r.usize()?;
        if temporaries > MOST {
            return Err(format!("a map of {temporaries} temporaries"));
        }
        let fixed = singles.len() + constants.len();
        let mut now: Vec<Option<usize>> = (0..fixed).map(Some).chain((0..temporaries).map(|_| None)).collect();
        let count = r.count()?;
        let mut code = Vec::new();
        let counting = fixed;
        // of each value, whether it is one number
        let mut singles = singles;
        singles.resize(fixed, true);
        singles.push(false);
        for value in fixed + 1..=fixed + count {
            let (op, dst, named) = (r.usize()?, r.usize()?, [r.usize()?, r.usize()?, r.usize()?]);
            let needed = TABLE.get(op).ok_or(format!("no instruction has the number {op}"))?.operands;
            let mut operands = [0; 3];
            for (k, register) in named.into_iter().take(needed).enumerate() {
                operands[k] = if k == 2 && counts(op) { counting } else { held(&now, register, OPS[op])? };
            }
            if dst < fixed || dst >= now.len() {
                return Err(format!("{} into register {dst}, which is not a temporary", OPS[op]));
            }
            now[dst] = Some(value);
            code.push(Assigned::new(op, operands, value, &mut singles));
        }
        for register in results.iter_mut() {
            *register = held(&now, *register, "a result")?;
            if singles[*register] {
                let spread = singles.len();
                code.push(Assigned::spread(*register, spread));
                singles.push(false);
                *register = spread;
            }
        }
        let index = code.iter().any(|c| counts(c.op)).then_some(counting);
        let (steps, registers) = assign(&code, fixed + 1, results, simd);
        Ok(Code { steps, constants, registers, index })
    }
}

impl Assigned {
    fn new(op: usize, operands: [usize; 3], value: usize, singles: &mut Vec<bool>) -> Assigned {
        let needed = TABLE[op].operands;
        let mask = (0..needed).filter(|&k| singles[operands[k]]).map(|k| 1 << k).sum();
        let single = mask == (1 << needed) - 1;
        singles.push(single);
        Assigned { op, operands, value, mask: if single { 0 } else { mask }, single }
    }
    /// A block of one number.
    fn spread(from: usize, value: usize) -> Assigned {
        Assigned { op: COPY, operands: [from, 0, 0], value, mask: 1, single: false }
    }
}

fn held(now: &[Option<usize>], register: usize, by: &str) -> Result<usize> {
    now.get(register).copied().flatten().ok_or(format!("{by} reads register {register}, which holds nothing"))
}

/// Gives each value a register that is free while the value is needed, and not one of its own instruction's operands.
fn assign(code: &[Assigned], fixed: usize, results: &mut [usize], simd: Simd) -> (Vec<Step>, usize) {
    let mut last = vec![0; fixed + code.len()];
    for (at, c) in code.iter().enumerate() {
        last[c.value] = at;
        for &x in &c.operands[..TABLE[c.op].operands] {
            last[x] = at;
        }
    }
    results.iter().for_each(|&x| last[x] = usize::MAX);
    let mut place: Vec<usize> = (0..last.len()).collect();
    let (mut free, mut registers) = (Vec::new(), fixed);
    let mut steps = Vec::new();
    for (at, c) in code.iter().enumerate() {
        let dst = free.pop().unwrap_or_else(|| {
            registers += 1;
            registers - 1
        });
        place[c.value] = dst;
        let operands = c.operands.map(|x| place[x]);
        steps.push(Step { run: (TABLE[c.op].run)(simd, c.mask), single: c.single, dst, operands });
        let mut ended: Vec<usize> = c.operands[..TABLE[c.op].operands].to_vec();
        ended.push(c.value);
        ended.retain(|&x| x >= fixed && last[x] == at);
        ended.sort_unstable();
        ended.dedup();
        free.extend(ended.iter().map(|&x| place[x]));
    }
    results.iter_mut().for_each(|x| *x = place[*x]);
    (steps, registers)
}
