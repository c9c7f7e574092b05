//! Reads a plan's words, and refuses what does not fit: after this, a kernel may trust its sizes and addresses.

/// Element types, by the numbers that a plan writes them with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dtype {
    F32,
    F16,
    Bf16,
    I32,
    I64,
    U32,
    Bool,
}
pub const DTYPES: [(&str, Dtype, usize); 7] = [
    ("f32", Dtype::F32, 4),
    ("f16", Dtype::F16, 2),
    ("bf16", Dtype::Bf16, 2),
    ("i32", Dtype::I32, 4),
    ("i64", Dtype::I64, 8),
    ("u32", Dtype::U32, 4),
    ("bool", Dtype::Bool, 1),
];
impl Dtype {
    pub fn bytes(self) -> usize {
        DTYPES[self as usize].2
    }
}

/// A place in a slot; the offset counts elements.
#[derive(Clone, Copy, Debug)]
pub struct Operand {
    pub slot: usize,
    pub offset: usize,
}

/// What a plan says of a slot.
#[derive(Clone, Copy, Debug)]
pub struct Slot {
    pub bytes: usize,
}

pub type Result<T> = std::result::Result<T, String>;

pub struct Reader<'a> {
    words: &'a [u32],
    at: usize,
    slots: &'a [Slot],
}

impl<'a> Reader<'a> {
    pub fn new(words: &'a [u32], slots: &'a [Slot]) -> Reader<'a> {
        Reader { words, at: 0, slots }
    }
    /// The same words, in a plan with these slots.
    pub fn over<'b>(self, slots: &'b [Slot]) -> Reader<'b>
    where
        'a: 'b,
    {
        Reader { words: self.words, at: self.at, slots }
    }
    pub fn done(&self) -> bool {
        self.at == self.words.len()
    }
    pub fn u32(&mut self) -> Result<u32> {
        let word = self.words.get(self.at).copied().ok_or("the plan ends in the middle of an instruction")?;
        self.at += 1;
        Ok(word)
    }
    pub fn usize(&mut self) -> Result<usize> {
        Ok(self.u32()? as usize)
    }
    pub fn f32(&mut self) -> Result<f32> {
        Ok(f32::from_bits(self.u32()?))
    }
    pub fn bool(&mut self) -> Result<bool> {
        match self.u32()? {
            0 => Ok(false),
            1 => Ok(true),
            n => Err(format!("{n} is neither 0 nor 1")),
        }
    }
    /// 64 bits, the lower half first.
    pub fn wide(&mut self) -> Result<usize> {
        let low = self.usize()?;
        Ok(low | (self.usize()? << 32))
    }
    /// A count that something follows for each of; bounded by what is left to read.
    pub fn count(&mut self) -> Result<usize> {
        let n = self.usize()?;
        if n > self.words.len() - self.at {
            return Err(format!("{n} items do not fit in the plan"));
        }
        Ok(n)
    }
    pub fn list(&mut self, n: usize) -> Result<Vec<usize>> {
        (0..n).map(|_| self.usize()).collect()
    }
    pub fn dtype(&mut self) -> Result<Dtype> {
        let n = self.usize()?;
        DTYPES.get(n).map(|d| d.1).ok_or(format!("no element type has the number {n}"))
    }
    /// The next `n` words, as a reader of their own.
    pub fn part(&mut self, n: usize) -> Result<Reader<'a>> {
        let end = self.at.checked_add(n).filter(|&end| end <= self.words.len()).ok_or("an instruction is cut off")?;
        let part = Reader { words: &self.words[self.at..end], at: 0, slots: self.slots };
        self.at = end;
        Ok(part)
    }
    /// `slot, offset`, holding all that a walk over `dims` by `strides` (in elements) touches.
    pub fn operand(&mut self, dtype: Dtype, dims: &[usize], strides: &[usize]) -> Result<Operand> {
        let (slot, offset) = (self.usize()?, self.usize()?);
        let found = self.slots.get(slot).ok_or(format!("the plan has no slot {slot}"))?;
        if dims.len() != strides.len() {
            return Err(format!("{} strides for {} axes", strides.len(), dims.len()));
        }
        // an empty walk touches nothing, however far its axes would reach
        let last = dims.iter().zip(strides).try_fold(offset, |sum, (&n, &by)| {
            n.saturating_sub(1).checked_mul(by).and_then(|far| sum.checked_add(far))
        });
        let touched = if dims.contains(&0) { Some(offset) } else { last.and_then(|last| last.checked_add(1)) };
        let end = touched.and_then(|n| n.checked_mul(dtype.bytes()));
        if end.is_none_or(|end| end > found.bytes) {
            return Err(format!(
                "slot {slot} of {} bytes does not hold {dims:?} by {strides:?} from {offset}",
                found.bytes
            ));
        }
        Ok(Operand { slot, offset })
    }
    /// `slot, offset` of `n` elements in a row.
    pub fn row(&mut self, dtype: Dtype, n: usize) -> Result<Operand> {
        self.operand(dtype, &[n], &[1])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operand_beyond_its_slot_is_refused() {
        let slots = [Slot { bytes: 48 }];
        let read = |words: &[u32], dims: &[usize], strides: &[usize]| {
            Reader::new(words, &slots).operand(Dtype::F32, dims, strides)
        };
        assert!(read(&[0, 0], &[3, 4], &[4, 1]).is_ok());
        assert!(read(&[0, 1], &[3, 4], &[4, 1]).is_err());
        assert!(read(&[1, 0], &[1], &[1]).is_err());
        assert!(read(&[0, 12], &[0, 4], &[4, 1]).is_ok());
        assert!(read(&[0, 13], &[0, 4], &[4, 1]).is_err());
        assert!(read(&[0, 0], &[0], &[1]).is_ok());
        assert!(read(&[0, 0], &[usize::MAX, 4], &[usize::MAX, 1]).is_err());
        assert!(read(&[0], &[1], &[1]).is_err());
    }
}
