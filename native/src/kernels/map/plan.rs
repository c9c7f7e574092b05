//! Reads a map's words, and refuses what does not fit.
use super::code::Code;
use super::elements::{Moves, is_word};
use super::reduce::Reduction;
use super::walk::{RANK, axes};
use super::{Map, Output, Port};
use crate::reader::{Dtype, Reader, Result};
use crate::simd::Simd;

/// Bytes of the first cache that registers may fill.
const CACHE: usize = 24 << 10;

/// Bytes beyond which an operand comes from memory.
const FAR: usize = 512 << 10;
/// Steps between which memory is asked for ahead; with fewer the processor's own guesses do better.
const STEPS: usize = 6;

/// What of a space an operand must hold: an empty one touches nothing.
fn touched(dims: &[usize]) -> Vec<usize> {
    if dims.contains(&0) { vec![0; dims.len()] } else { dims.to_vec() }
}

fn port(r: &mut Reader, dims: &[usize], simd: Simd, dtype: Dtype, stride: Vec<usize>) -> Result<Port> {
    let operand = r.operand(dtype, &touched(dims), &stride)?;
    let last: usize = dims.iter().zip(&stride).map(|(&n, &by)| n.saturating_sub(1) * by).sum();
    let span = if dims.contains(&0) { 0 } else { (last + 1) * dtype.bytes() };
    let single = dims.iter().zip(&stride).all(|(&n, &by)| n == 1 || by == 0);
    let (moves, word) = (Moves::new(dtype, simd), is_word(dtype));
    Ok(Port { dtype, stride: axes(&stride), operand, moves, word, single, far: word && span > FAR, span })
}

impl Map {
    /// Reads a map whose axes stay as the plan has them.
    pub fn read(r: &mut Reader) -> Result<Map> {
        Map::read_for(r, Simd::best())
    }

    pub(super) fn read_for(r: &mut Reader, simd: Simd) -> Result<Map> {
        let rank = r.usize()?;
        if rank > RANK {
            return Err(format!("a map of {rank} axes; {RANK} is the most"));
        }
        let dims = r.list(rank)?;
        let total = dims.iter().filter(|&&n| n > 0).try_fold(1usize, |all, &n| all.checked_mul(n));
        if total.is_none_or(|n| n > 1 << 48) {
            return Err(format!("a map over {dims:?} has too many elements"));
        }
        let mut inputs = Vec::new();
        for _ in 0..r.count()? {
            let (dtype, stride) = (r.dtype()?, r.list(rank)?);
            inputs.push(port(r, &dims, simd, dtype, stride)?);
        }
        let mut outputs = Vec::new();
        for _ in 0..r.count()? {
            let (register, dtype, stride) = (r.usize()?, r.dtype()?, r.list(rank)?);
            if !dims.contains(&0) && dims.iter().zip(&stride).any(|(&n, &by)| n > 1 && by == 0) {
                return Err(format!("an output over {dims:?} by {stride:?} is written twice"));
            }
            outputs.push(Output { register, port: port(r, &dims, simd, dtype, stride)?, direct: false });
        }
        let reductions = (0..r.count()?).map(|_| reduction(r, &dims, simd)).collect::<Result<Vec<Reduction>>>()?;
        let mut results: Vec<usize> =
            outputs.iter().map(|o| o.register).chain(reductions.iter().map(|r| r.register)).collect();
        let code = Code::read(r, inputs.iter().map(|p| p.single).collect(), &mut results, simd)?;
        let mut map = Map { dims, inputs, outputs, reductions, code, lanes: 0, streams: false };
        map.assign(&results);
        Ok(map)
    }

    fn assign(&mut self, results: &[usize]) {
        let fixed = self.inputs.len() + self.code.constants.len() + 1;
        let (outputs, reductions) = results.split_at(self.outputs.len());
        for (k, output) in self.outputs.iter_mut().enumerate() {
            output.register = outputs[k];
            output.direct = output.port.word && outputs[k] >= fixed && !outputs[..k].contains(&outputs[k]);
        }
        self.reductions.iter_mut().zip(reductions).for_each(|(r, &register)| r.register = register);
        let most = self.dims.iter().product::<usize>().clamp(1, 1024).next_multiple_of(16);
        self.streams = self.code.steps.len() >= STEPS && self.inputs.iter().any(|p| p.far);
        let singles = self.code.constants.len() + self.inputs.iter().filter(|p| p.single).count();
        self.lanes = (CACHE / 4 / (self.code.registers - singles) / 64 * 64).clamp(128, 1024).min(most);
    }

    /// Makes neighbouring axes one wherever every operand allows it.
    pub(super) fn collapse(&mut self) {
        let mut d = 0;
        while d < self.dims.len() {
            if self.dims[d] == 1 {
                self.drop_axis(d);
            } else if d + 1 < self.dims.len() && self.dims[d + 1] != 1 && self.one(d) {
                self.dims[d + 1] *= self.dims[d];
                self.drop_axis(d);
            } else {
                d += 1;
            }
        }
    }
    /// Whether an axis and the next can be one.
    fn one(&self, d: usize) -> bool {
        let n = self.dims[d + 1];
        let ports = self.inputs.iter().chain(self.outputs.iter().map(|o| &o.port));
        let mut strides = ports.map(|p| &p.stride).chain(self.reductions.iter().map(|r| &r.stride));
        strides.all(|s| s[d + 1].checked_mul(n) == Some(s[d]))
            && self.reductions.iter().all(|r| r.reduced[d] == r.reduced[d + 1])
    }
    fn drop_axis(&mut self, d: usize) {
        self.dims.remove(d);
        let ports = self.inputs.iter_mut().chain(self.outputs.iter_mut().map(|o| &mut o.port));
        let strides = ports.map(|p| &mut p.stride).chain(self.reductions.iter_mut().map(|r| &mut r.stride));
        strides.for_each(|s| {
            s.copy_within(d + 1.., d);
            s[RANK - 1] = 0;
        });
        for r in &mut self.reductions {
            r.reduced.copy_within(d + 1.., d);
            r.reduced[RANK - 1] = false;
        }
    }
}

fn reduction(r: &mut Reader, dims: &[usize], simd: Simd) -> Result<Reduction> {
    let (kind, register, mask) = (r.usize()?, r.usize()?, r.usize()?);
    if kind > 1 || mask >> dims.len() != 0 {
        return Err(format!("a reduction of kind {kind} over axes {mask:b} of {dims:?}"));
    }
    let stride = r.list(dims.len())?;
    let mut kept = dims.to_vec();
    let mut reduced = [false; RANK];
    let empty = (0..dims.len()).any(|d| mask >> d & 1 == 0 && dims[d] == 0);
    for d in 0..dims.len() {
        reduced[d] = mask >> d & 1 == 1;
        if reduced[d] {
            kept[d] = 1;
        }
        if reduced[d] && stride[d] != 0 || !empty && !reduced[d] && dims[d] > 1 && stride[d] == 0 {
            return Err(format!("a reduction over axes {mask:b} of {dims:?} into strides {stride:?}"));
        }
    }
    let operand = r.operand(Dtype::F32, &touched(&kept), &stride)?;
    Ok(Reduction::new(kind == 1, register, reduced, axes(&stride), operand, simd))
}
