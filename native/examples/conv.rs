//! How fast ResNet-18's convolutions are, channels last: `cargo run --release --example conv [threads] [images]`.
use plinth_native::kernels::KERNELS;
use plinth_native::memory::{Buffer, Memory};
use plinth_native::reader::{Reader, Slot};
use plinth_native::team::Team;
use std::time::Instant;

/// Channels, height, output channels, kernel, stride, and how often ResNet-18 has it.
const LAYERS: [[usize; 6]; 12] = [
    [3, 32, 64, 3, 1, 1],
    [64, 32, 64, 3, 1, 4],
    [64, 32, 128, 3, 2, 1],
    [64, 32, 128, 1, 2, 1],
    [128, 16, 128, 3, 1, 3],
    [128, 16, 256, 3, 2, 1],
    [128, 16, 256, 1, 2, 1],
    [256, 8, 256, 3, 1, 3],
    [256, 8, 512, 3, 2, 1],
    [256, 8, 512, 1, 2, 1],
    [512, 4, 512, 3, 1, 3],
    [64, 56, 64, 3, 1, 0],
];

/// Seconds: of this thread's own work where the system says so and there is no other thread, otherwise by the clock.
fn now(threads: usize) -> f64 {
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    let clock = START.get_or_init(Instant::now).elapsed().as_secs_f64();
    let own = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let own = own.and_then(|text| text.split(' ').next()?.parse::<f64>().ok());
    own.filter(|_| threads == 1).map_or(clock, |nanoseconds| nanoseconds / 1e9)
}

/// The fastest of several runs, in seconds.
fn fastest(team: &Team, name: &str, words: &[usize], sizes: &[usize]) -> f64 {
    let slots: Vec<Slot> = sizes.iter().map(|n| Slot { bytes: n * 4 }).collect();
    let words: Vec<u32> = words.iter().map(|&w| w as u32).collect();
    let read = KERNELS.iter().find(|k| k.0 == name).expect("the kernel is in the table").1;
    let kernel = read(&mut Reader::new(&words, &slots)).expect("the words fit");
    let scratch = kernel.scratch(team.threads);
    let buffer = |bytes: usize| {
        let mut b = Buffer::new(bytes).expect("there is memory");
        b.slice_mut().chunks_exact_mut(4).enumerate().for_each(|(i, x)| {
            x.copy_from_slice(&((i * 7 % 13) as f32 / 13.0 - 0.5).to_ne_bytes());
        });
        b
    };
    let buffers: Vec<Buffer> = sizes.iter().map(|n| buffer(n * 4)).collect();
    let (shared, own) = (buffer(scratch.shared), (0..team.threads).map(|_| buffer(scratch.own)).collect::<Vec<_>>());
    let memory = Memory {
        slots: buffers.iter().map(Buffer::address).collect(),
        shared: shared.address(),
        own: own.iter().map(Buffer::address).collect(),
    };
    let mut best = f64::MAX;
    for _ in 0..12 {
        let start = now(team.threads);
        // SAFETY: the slots are those that the words were checked against
        team.run(&|worker| unsafe { kernel.run(&memory, worker) }).expect("the kernel runs");
        best = best.min(now(team.threads) - start);
    }
    best
}

fn main() {
    let mut args = std::env::args().skip(1).map(|a| a.parse::<usize>().expect("a number"));
    let (threads, n) = (args.next().unwrap_or(2), args.next().unwrap_or(64));
    let team = Team::new(threads);
    let mut total = [0.0; 3];
    println!("peak {:.0} GFLOP/s", plinth_native::gemm::peak(threads));
    for [c, h, o, k, stride, count] in LAYERS {
        let (out, pad) = (h / stride, (k - 1) / 2);
        let last = |c: usize, h: usize| [h * h * c, 1, h * c, c];
        let (x, y, w) = (last(c, h), last(o, out), [c * k * k, k * k, k, 1]);
        let sizes = [n, c, h, h, o, k, k, out, out, stride, stride, pad, pad, 1, 1, 1];
        let floats = [n * c * h * h, o * c * k * k, n * o * out * out];
        let by = [x, w, y];
        let flops = 2.0 * (n * out * out * o * c * k * k) as f64;
        print!("{c:4} {h:3} {o:4} {k} /{stride}");
        for (i, (name, which)) in
            [("conv2d", [0, 1, 2]), ("conv2dInputGrad", [1, 2, 0]), ("conv2dWeightGrad", [0, 2, 1])]
                .into_iter()
                .enumerate()
        {
            let mut words = sizes.to_vec();
            for (slot, &t) in which.iter().enumerate() {
                words.extend(by[t]);
                words.extend([slot, 0]);
            }
            let seconds = fastest(&team, name, &words, &which.map(|t| floats[t]));
            total[i] += seconds * count as f64;
            print!("  {:7.2} ms {:4.0}", seconds * 1e3, flops / seconds / 1e9);
        }
        println!();
    }
    println!("ResNet-18: {}", total.map(|s| format!("{:.1} ms", s * 1e3)).join(", "));
}
