//! One thread at work on a map: registers in its scratch, and the way a block goes through them.
use super::Map;
use super::walk::{Axes, RANK, Walk, dense, dot, each_place};
use crate::memory::Memory;

/// How an operand goes in or out for blocks of the present extents.
#[derive(Clone, Copy)]
struct Seen {
    walk: Walk,
    /// Where the register's contents came from, while they can be used again.
    from: *const u8,
}

/// An operand's addresses in this run.
#[derive(Clone, Copy)]
struct Place {
    base: *mut u8,
    /// Whether an input is not written, or an output may be computed where it lies.
    alone: bool,
}

pub struct Frame<'a> {
    map: &'a Map,
    /// Where each register's lanes are for this block.
    at: &'a mut [*mut u32],
    seen: &'a mut [Seen],
    places: &'a mut [Place],
    lanes: *mut u32,
    extent: Axes,
    numbering: Axes,
    pub values: *mut f64,
}

const fn padded(bytes: usize) -> usize {
    bytes.next_multiple_of(64)
}

/// Asks for memory that is read soon.
#[inline(always)]
fn prefetch(from: *const u8, bytes: usize) {
    #[cfg(target_arch = "x86_64")]
    for at in (0..bytes).step_by(64) {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a hint, which reads nothing where there is no memory
        unsafe { _mm_prefetch::<_MM_HINT_T0>(from.wrapping_add(at).cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (from, bytes);
}

impl<'a> Frame<'a> {
    /// Bytes of a frame for a map, without its reductions' values.
    pub fn bytes(map: &Map) -> usize {
        let operands = map.inputs.len() + map.outputs.len();
        padded(map.code.registers * size_of::<*mut u32>())
            + padded(operands * size_of::<Seen>())
            + padded(operands * size_of::<Place>())
            + map.code.registers * map.lanes * 4
    }

    /// # Safety
    /// `own` is aligned to 64 and holds `bytes(map)`, and the memory is that of a plan that the map was read from.
    pub unsafe fn new(map: &'a Map, memory: &Memory, own: *mut u8) -> Frame<'a> {
        let (registers, operands) = (map.code.registers, map.inputs.len() + map.outputs.len());
        // SAFETY: the parts of `own`, each written before it is borrowed
        let mut frame = unsafe {
            let at = own.cast::<*mut u32>();
            let seen = own.add(padded(registers * size_of::<*mut u32>()));
            let places = seen.add(padded(operands * size_of::<Seen>()));
            let lanes = places.add(padded(operands * size_of::<Place>())).cast::<u32>();
            let none = Seen { walk: Walk::new(&[], &[0; RANK]), from: std::ptr::null() };
            (0..registers).for_each(|r| at.add(r).write(lanes.add(r * map.lanes)));
            (0..operands).for_each(|k| seen.cast::<Seen>().add(k).write(none));
            (0..operands).for_each(|k| places.cast::<Place>().add(k).write(Place { base: own, alone: true }));
            Frame {
                map,
                at: std::slice::from_raw_parts_mut(at, registers),
                seen: std::slice::from_raw_parts_mut(seen.cast(), operands),
                places: std::slice::from_raw_parts_mut(places.cast(), operands),
                lanes,
                extent: [0; RANK],
                numbering: dense(&map.dims),
                values: lanes.add(registers * map.lanes).cast(),
            }
        };
        frame.place(memory);
        for (k, &bits) in map.code.constants.iter().enumerate() {
            // SAFETY: a register holds more than the one lane of a constant
            unsafe { *frame.at[map.inputs.len() + k] = bits };
        }
        frame
    }

    /// Finds which operands overlap: those go through registers.
    fn place(&mut self, memory: &Memory) {
        let (inputs, outputs) = (&self.map.inputs, &self.map.outputs);
        let spans = |k: usize| {
            let port = if k < inputs.len() { &inputs[k] } else { &outputs[k - inputs.len()].port };
            let base = memory.at::<u8>(crate::reader::Operand {
                slot: port.operand.slot,
                offset: port.operand.offset * port.dtype.bytes(),
            });
            (base, base as usize, base as usize + port.span)
        };
        for k in 0..self.places.len() {
            self.places[k].base = spans(k).0;
        }
        for o in inputs.len()..self.places.len() {
            let (_, low, high) = spans(o);
            for k in 0..o {
                let (_, other, end) = spans(k);
                if low < end && other < high {
                    self.places[k].alone = false;
                    self.places[o].alone = false;
                }
            }
        }
    }

    fn lanes_of(&self, register: usize) -> *mut u32 {
        // SAFETY: the register's part of the scratch
        unsafe { self.lanes.add(register * self.map.lanes) }
    }

    /// Carries out the map on a block of at most `lanes` elements; the results stay in registers for `register`.
    pub unsafe fn block(&mut self, low: &[usize], extent: &[usize]) {
        let n: usize = extent.iter().product();
        let (map, inputs) = (self.map, self.map.inputs.len());
        if self.extent[..extent.len()] != *extent {
            self.extent[..extent.len()].copy_from_slice(extent);
            for (k, seen) in self.seen.iter_mut().enumerate() {
                let port = if k < inputs { &map.inputs[k] } else { &map.outputs[k - inputs].port };
                let walk = if port.single { Walk::new(&[], &[0; RANK]) } else { Walk::new(extent, &port.stride) };
                *seen = Seen { walk, from: std::ptr::null() };
            }
        }
        // SAFETY: the block lies inside the space, whose operands the plan's slots hold; registers hold a block
        unsafe {
            self.load(low, n);
            for (k, output) in map.outputs.iter().enumerate() {
                let (seen, place) = (&self.seen[inputs + k], self.places[inputs + k]);
                if output.direct {
                    let here = place.alone && seen.walk.contiguous();
                    let address = place.base.cast::<u32>().add(dot(low, &output.port.stride));
                    self.at[output.register] = if here { address } else { self.lanes_of(output.register) };
                }
            }
            for (s, step) in map.code.steps.iter().enumerate() {
                if map.streams {
                    self.ahead(s, n);
                }
                let [a, b, c] = step.operands.map(|r| self.at[r].cast_const());
                let n = if step.single { 1 } else { n };
                (step.run)(std::slice::from_raw_parts_mut(self.at[step.dst], n), a, b, c);
            }
            self.store(low, n);
        }
    }

    unsafe fn load(&mut self, low: &[usize], n: usize) {
        for (k, port) in self.map.inputs.iter().enumerate() {
            let seen = &mut self.seen[k];
            let n = if port.single { 1 } else { n };
            // SAFETY: as in `block`
            unsafe {
                let from = self.places[k].base.add(dot(low, &port.stride) * port.dtype.bytes());
                if port.word && seen.walk.contiguous() {
                    self.at[k] = from.cast();
                    continue;
                }
                if seen.from == from.cast_const() && self.places[k].alone {
                    continue;
                }
                seen.from = from;
                let lanes = self.lanes.add(k * self.map.lanes);
                self.at[k] = lanes;
                let lanes = std::slice::from_raw_parts_mut(lanes, n);
                let (times, part) = seen.walk.repeated();
                let one = n / times;
                let (plane, tile, rest) = part.plane();
                let run = port.moves.way_in(&plane, tile);
                each_place(&rest.extent[..rest.rank], &part.dense, &part.stride, |to, at| {
                    run(&mut lanes[to..], from.add(at * port.dtype.bytes()), &plane);
                });
                let mut done = one;
                while done < n {
                    let more = done.min(n - done);
                    lanes.copy_within(..more, done);
                    done += more;
                }
            }
        }
        if let Some(register) = self.map.code.index {
            let rank = self.map.dims.len();
            let walk = Walk::new(&self.extent[..rank], &self.numbering);
            let first = dot(low, &self.numbering);
            // SAFETY: a register holds a block
            let lanes = unsafe { std::slice::from_raw_parts_mut(self.at[register], n) };
            let inner = walk.rank.checked_sub(1).map_or((1, 0), |d| (walk.extent[d], walk.stride[d]));
            let mut rest = walk.extent;
            rest[walk.rank.saturating_sub(1)] = 1;
            each_place(&rest[..walk.rank], &walk.dense, &walk.stride, |to, at| {
                for (j, lane) in lanes[to..to + inner.0].iter_mut().enumerate() {
                    *lane = (first + at + j * inner.1) as u32;
                }
            });
        }
    }

    unsafe fn store(&mut self, low: &[usize], n: usize) {
        let inputs = self.map.inputs.len();
        for (k, output) in self.map.outputs.iter().enumerate() {
            let (port, seen, place) = (&output.port, &self.seen[inputs + k], self.places[inputs + k]);
            if output.direct && place.alone && seen.walk.contiguous() {
                continue;
            }
            let (plane, tile, rest) = seen.walk.plane();
            let run = port.moves.way_out(&plane, tile);
            // SAFETY: as in `block`
            unsafe {
                let to = place.base.add(dot(low, &port.stride) * port.dtype.bytes());
                let lanes = std::slice::from_raw_parts(self.at[output.register], n);
                each_place(&rest.extent[..rest.rank], &seen.walk.dense, &seen.walk.stride, |from, at| {
                    run(&lanes[from..], to.add(at * port.dtype.bytes()), &plane);
                });
            }
        }
    }

    /// Asks for one step's share of what the next block will most likely read, so that it arrives while this one is computed.
    fn ahead(&self, step: usize, n: usize) {
        let share = |s: usize| s * 4 * n / self.map.code.steps.len() / 64 * 64;
        let (low, high) = (share(step), share(step + 1));
        for (k, port) in self.map.inputs.iter().enumerate() {
            if port.far && self.seen[k].walk.contiguous() {
                prefetch(self.at[k].cast_const().cast::<u8>().wrapping_add(4 * n + low), high - low);
            }
        }
    }

    pub fn register(&self, register: usize) -> *const f32 {
        self.at[register].cast_const().cast()
    }
}
