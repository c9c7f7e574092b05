//! Attention's speed: `cargo run --release --example attention`, in GFLOP/s of products that a mask leaves, beside the peak.
use plinth_native::gemm;
use plinth_native::kernels::KERNELS;
use plinth_native::memory::{Buffer, Memory};
use plinth_native::reader::{Reader, Slot};
use plinth_native::team::Team;
use std::time::Instant;

/// Batch, heads, places, width, causal.
const SHAPES: [(usize, usize, usize, usize, bool); 5] = [
    (4, 6, 256, 64, true),
    (2, 12, 512, 64, true),
    (32, 4, 128, 32, true),
    (32, 12, 128, 32, false),
    (1, 8, 2048, 128, true),
];

/// Fastest of several runs in seconds, of one kernel over slots of `sizes` floats.
fn fastest(team: &Team, name: &str, words: &[u32], sizes: &[usize]) -> f64 {
    let mut buffers: Vec<Buffer> = sizes.iter().map(|n| Buffer::new(n * 4).expect("memory")).collect();
    for buffer in &mut buffers {
        for (i, bytes) in buffer.slice_mut().chunks_exact_mut(4).enumerate() {
            bytes.copy_from_slice(&((i * 7919 % 1000) as f32 / 500.0 - 1.0).to_le_bytes());
        }
    }
    let slots: Vec<Slot> = sizes.iter().map(|n| Slot { bytes: n * 4 }).collect();
    let read = KERNELS.iter().find(|k| k.0 == name).expect("a kernel of that name").1;
    let kernel = read(&mut Reader::new(words, &slots)).expect("words that fit");
    let scratch = kernel.scratch(team.threads);
    let shared = Buffer::new(scratch.shared).expect("memory");
    let own: Vec<Buffer> = (0..team.threads).map(|_| Buffer::new(scratch.own).expect("memory")).collect();
    let memory = Memory {
        slots: buffers.iter().map(Buffer::address).collect(),
        shared: shared.address(),
        own: own.iter().map(Buffer::address).collect(),
    };
    let mut fastest = f64::INFINITY;
    for _ in 0..30 {
        let start = Instant::now();
        // SAFETY: the slots are as large as the kernel was told
        team.run(&|worker| unsafe { kernel.run(&memory, worker) }).expect("no thread fails");
        fastest = fastest.min(start.elapsed().as_secs_f64());
    }
    fastest
}

fn main() {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let team = Team::new(threads);
    let peak = gemm::peak(threads);
    println!("{threads} threads, peak {peak:.0} GFLOP/s");
    for (b, h, t, d, causal) in SHAPES {
        // heads lie beside each other, as a projection leaves them
        let strides = [t * h * d, d, h * d, 1];
        let n = b * h * t * d;
        let view = |slot: usize| strides.iter().copied().chain([slot, 0]).collect::<Vec<_>>();
        let rows = |slot: usize| vec![h * t, t, 1, slot, 0];
        let sizes: Vec<usize> = vec![b, h, h, t, t, d, d];
        let scale = (d as f32).powf(-0.5).to_bits() as usize;
        let first = [sizes, vec![scale, usize::from(causal), 0, 0], view(0), view(1), view(2)].concat();
        let words = |more: &[Vec<usize>]| -> Vec<u32> {
            first.iter().copied().chain(more.concat()).map(|n| n as u32).collect()
        };
        let forward = fastest(&team, "attention", &words(&[view(3), rows(4)]), &[n, n, n, n, b * h * t]);
        let back = [view(3), rows(4), view(5), view(6), view(7), view(8)];
        let backward = fastest(&team, "attentionGrad", &words(&back), &[n, n, n, n, b * h * t, n, n, n, n]);
        let pairs = if causal { t * (t + 1) / 2 } else { t * t };
        let flops = (4 * b * h * pairs * d) as f64 / 1e9;
        println!(
            "{b} x {h} x {t} x {d} {}: forward {:.2} ms, {:.0} ({:.0} %), backward {:.2} ms, {:.0} ({:.0} %)",
            if causal { "causal" } else { "full" },
            forward * 1e3,
            flops / forward,
            flops / forward / peak * 100.0,
            backward * 1e3,
            2.5 * flops / backward,
            2.5 * flops / backward / peak * 100.0,
        );
    }
}
