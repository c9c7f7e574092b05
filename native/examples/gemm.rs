//! Measures the matrix product over shapes that training has, in every pair of layouts: `cargo run --release --example gemm [set] [threads]`.
use plinth_native::gemm::{Level, Matrix, Product, Set, peak};
use plinth_native::memory::Buffer;
use plinth_native::team::Team;
use std::time::{Duration, Instant};

const SHAPES: [(usize, usize, usize); 17] = [
    (128, 512, 4096),
    (512, 128, 4096),
    (128, 384, 4096),
    (128, 128, 4096),
    (384, 1152, 1024),
    (1024, 1024, 1024),
    (1024, 1152, 384),
    (1024, 384, 1536),
    (1024, 1536, 384),
    (384, 1536, 1024),
    (1024, 4096, 384),
    (4096, 384, 1024),
    (4096, 128, 128),
    (4096, 512, 128),
    (4096, 128, 512),
    (1, 4096, 384),
    (4, 1536, 384),
];
/// One of a batch by itself, as attention has them.
const SMALL: [(usize, usize, usize); 3] = [(256, 64, 256), (256, 256, 64), (128, 32, 128)];
const BATCH: usize = 48;
/// How long each is tried.
const TRIED: Duration = Duration::from_millis(150);

/// Products side by side in memory of their own, which is all zeros.
struct Products {
    one: Product,
    sizes: [usize; 3],
    count: usize,
    _memory: Vec<Buffer>,
}
// SAFETY: the addresses are those of the memory beside them, and each task writes its own part
unsafe impl Sync for Products {}

impl Products {
    fn new((m, n, k): (usize, usize, usize), turned: (bool, bool), count: usize) -> Products {
        let sizes = [m * k, k * n, m * n];
        let mut memory: Vec<Buffer> = sizes.iter().map(|n| Buffer::new(n * count * 4).unwrap()).collect();
        memory.iter_mut().for_each(|buffer| buffer.slice_mut().fill(0));
        let [a, b, c] = [0, 1, 2].map(|i| memory[i].address().cast::<f32>());
        let matrix = |at: *mut f32, rows: usize, columns: usize, turned: bool| {
            let (rows_by, columns_by) = if turned { (1, rows) } else { (columns, 1) };
            Matrix { at, rows_by, columns_by }
        };
        let (a, b) = (matrix(a, m, k, turned.0), matrix(b, k, n, turned.1));
        let one = Product { m, n, k, a, b, c, c_row: n, alpha: 1.0, accumulate: false };
        Products { one, sizes, count, _memory: memory }
    }
    fn at(&self, i: usize) -> Product {
        let mut p = self.one;
        p.a.at = p.a.at.wrapping_add(i * self.sizes[0]);
        p.b.at = p.b.at.wrapping_add(i * self.sizes[1]);
        p.c = p.c.wrapping_add(i * self.sizes[2]);
        p
    }
}

/// GFLOP/s, the best of some runs.
fn rate(set: &Set, team: &Team, products: &Products) -> f64 {
    let Product { m, n, k, .. } = products.one;
    let need = set.scratch_team(m, n, k);
    let shared = Buffer::new(need.shared).unwrap();
    let bytes = need.own.max(set.scratch_alone(m, n, k));
    let own: Vec<Buffer> = (0..team.threads).map(|_| Buffer::new(bytes).unwrap()).collect();
    let (begun, mut best) = (Instant::now(), f64::MAX);
    while begun.elapsed() < TRIED {
        let start = Instant::now();
        let run = team.run(&|worker| {
            let own = own[worker.index].address().cast();
            // SAFETY: the memory beside the products holds them, and the scratch is what the set asks for
            unsafe {
                if products.count == 1 {
                    set.team(worker, &products.one, shared.address().cast(), own, &|_, _| {});
                } else {
                    worker.each(products.count, |i| set.alone(&products.at(i), own));
                }
            }
        });
        run.expect("no product panics");
        best = best.min(start.elapsed().as_secs_f64());
    }
    (2 * m * n * k * products.count) as f64 / best / 1e9
}

fn main() {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let (asked, wanted) = (std::env::args().nth(1), std::env::args().nth(2));
    for threads in wanted.map_or(vec![1, processors], |n| vec![n.parse().expect("a number of threads")]) {
        let (most, team) = (peak(threads), Team::new(threads));
        for level in [Level::Avx512, Level::Avx2, Level::Neon, Level::Plain] {
            let wanted = asked.as_ref().is_none_or(|name| format!("{level:?}").eq_ignore_ascii_case(name));
            let Some(set) = Set::at(level).filter(|_| wanted) else { continue };
            println!(
                "{level:?}, {threads} threads, of {most:.0} GFLOP/s        A·B         A·Bᵀ         Aᵀ·B        Aᵀ·Bᵀ"
            );
            for (shape, count) in SHAPES.map(|s| (s, 1)).into_iter().chain(SMALL.map(|s| (s, BATCH))) {
                print!("{count:4} x {:5} x {:5} x {:5}", shape.0, shape.1, shape.2);
                for turned in [(false, false), (false, true), (true, false), (true, true)] {
                    let rate = rate(set, &team, &Products::new(shape, turned, count));
                    print!("  {rate:6.1} {:3.0}%", rate / most * 100.0);
                }
                println!();
            }
        }
    }
}
