import ArgumentParser
import ByteIO

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// Measures speed, side by side with what limits it, and prints JSON: raw samples, then their ratios.
///
/// Nothing here is a test: times depend on the machine and on who else uses it, so both sides of a ratio are
/// measured in turns, and processor time is given beside the clock's.
@main struct Benchmarks: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "Benchmarks", abstract: "Measure how fast Detent's parts are.",
        subcommands: [ProductBenchmark.self, ForwardBenchmark.self, GenerateBenchmark.self])
}

/// What every benchmark can be told.
struct BenchmarkOptions: ParsableArguments {
    @Option(help: "Threads to work on; all processors by default.") var threads: Int?
    @Option(help: "How often each side is measured, in turns.") var rounds = 5
}

/// How long something took.
struct Sample {
    let seconds: Double
    /// Of all threads together.
    let processorSeconds: Double

    struct Instant {
        let clock: Double
        let processor: Double

        static var now: Instant {
            Instant(clock: read(CLOCK_MONOTONIC), processor: read(CLOCK_PROCESS_CPUTIME_ID))
        }

        private static func read(_ clock: clockid_t) -> Double {
            var time = timespec()
            clock_gettime(clock, &time)
            return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
        }
    }

    init(from start: Instant, to end: Instant) {
        seconds = end.clock - start.clock
        processorSeconds = end.processor - start.processor
    }
}

/// Several measurements of the same amount of work.
struct Samples {
    /// What is counted in `amount`: `GFLOP`, `tokens`.
    let unit: String
    let amount: Double
    var all: [Sample] = []

    init(_ unit: String, amount: Double) { (self.unit, self.amount) = (unit, amount) }

    /// - Throws: what `body` throws.
    mutating func measure(_ body: () throws -> Void) rethrows {
        let start = Sample.Instant.now
        try body()
        all.append(Sample(from: start, to: .now))
    }

    /// By the clock, in the best round: others can only disturb.
    var perSecond: Double { amount / (all.map(\.seconds).min() ?? .infinity) }
    /// By the processor's time, likewise.
    var perProcessorSecond: Double { amount / (all.map(\.processorSeconds).min() ?? .infinity) }

    private var median: Double { all.map(\.seconds).sorted()[all.count / 2] }

    var json: JSON {
        [
            "unit": .string(unit), "amount": .number(amount),
            "seconds": .array(all.map { .number($0.seconds) }),
            "processor_seconds": .array(all.map { .number($0.processorSeconds) }),
            "per_second": .number(perSecond), "per_processor_second": .number(perProcessorSecond),
            "median_per_second": .number(amount / median),
        ]
    }
}
