import ArgumentParser
import ByteIO
import Kernels

/// The large square products that a forward pass is held against.
struct ProductBenchmark: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "product", abstract: "Large products in f32 and in bf16, one per thread.")

    @OptionGroup var options: BenchmarkOptions

    func run() throws {
        let product = LargeProduct(Workers(threadCount: options.threads))
        var (f32, bf16) = (product.samples, product.samples)
        for _ in 0..<options.rounds {
            f32.measure { product.multiply() }
            if BFloat16.isSupported { bf16.measure { product.multiplyRounded() } }
        }
        var document: JSON.Members = ["f32": f32.json]
        if BFloat16.isSupported {
            document["bf16"] = bf16.json
            document["ratio"] = .number(bf16.perSecond / f32.perSecond)
        }
        print(JSON.object(document).text())
    }
}

/// Two square matrices for each thread, and their product: the speed that the chip allows.
struct LargeProduct: Sendable {
    private static let order = 2048

    private let workers: Workers
    private let operands: [Matrix]
    private let results: [Matrix]

    init(_ workers: Workers) {
        self.workers = workers
        func matrices() -> [Matrix] {
            (0..<workers.threadCount).map { _ in
                let matrix = Matrix(rows: Self.order, columns: Self.order)
                for index in matrix.elements.indices {
                    matrix.elements[index] = Float(index % 7) - 3
                }
                return matrix
            }
        }
        (operands, results) = (matrices(), matrices())
    }

    var samples: Samples {
        let order = Double(Self.order)
        return Samples(
            "GFLOP", amount: 2e-9 * order * order * order * Double(workers.threadCount))
    }

    func multiply() {
        workers.forEach(workers.threadCount) { item in
            let operand = MatrixOperand(operands[item].pointer(toRow: 0), stride: Self.order)
            Kernels.multiply(
                operand, operand, into: results[item].pointer(toRow: 0), stride: Self.order,
                rows: Self.order, inner: Self.order, columns: Self.order)
        }
    }

    /// The same of as many numbers in bfloat16; whose they are plays no part.
    func multiplyRounded() {
        workers.forEach(workers.threadCount) { item in
            UnsafeRawBufferPointer(operands[item].elements).withMemoryRebound(to: UInt16.self) {
                guard let bits = $0.baseAddress else { return }
                Kernels.multiplyRounded(
                    RoundedOperand(bits, stride: Self.order),
                    RoundedOperand(bits, stride: Self.order), into: results[item].pointer(toRow: 0),
                    stride: Self.order,
                    rows: Self.order, inner: Self.order, columns: Self.order)
            }
        }
    }
}
