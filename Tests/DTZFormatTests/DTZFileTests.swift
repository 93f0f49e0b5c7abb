import ByteIO
import DTZFormat
import TensorIR
import TestSupport
import Testing

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// Tensors of several encodings, with weights as models have them, that fill some chunks.
private func model(rows: Int = 96) throws -> Checkpoint {
    var generator = SeededGenerator(seed: 11)
    func tensor(_ name: String, _ shape: [Int], _ type: ScalarType) throws -> BufferedTensor {
        let descriptor = try #require(
            TensorDescriptor(name: name, shape: shape, encoding: .scalar(type)))
        let bytes = (0..<descriptor.count).flatMap { _ -> [UInt8] in
            let bits = (generator.normal() * 0.02).bitPattern
            return withUnsafeBytes(of: bits.littleEndian) { Array($0.suffix(type.byteCount)) }
        }
        return BufferedTensor(descriptor, bytes: bytes)
    }
    var checkpoint = Checkpoint(
        path: "model", dialect: .huggingFace, metadata: ["format": .string("pt")],
        tensors: [
            try tensor("b", [rows, 64], .bf16), try tensor("f", [rows * 64], .f32),
            try tensor("none", [0, 3], .f16), try tensor("scalar", [], .f32),
        ])
    checkpoint.documents["config.json"] = Array(#"{"model_type": "llama"}"#.utf8)
    return checkpoint
}

private func written(
    _ checkpoint: Checkpoint, _ change: (inout DTZOptions) -> Void = { _ in }
) throws -> [UInt8] {
    let folder = try TemporaryFolder()
    var options = DTZOptions()
    change(&options)
    try DTZWriter.write(checkpoint, to: folder.path("model.dtz"), options: options)
    #expect(try folder.names() == ["model.dtz"])
    return try MappedFile.contents(ofFile: folder.path("model.dtz"))
}

@Suite struct DTZFileTests {
    @Test func readsWhatWasWritten() throws {
        let model = try model()
        let folder = try TemporaryFolder()
        let path = try folder.write(try written(model), to: "model.dtz")
        let read = try DTZFile(path: path).checkpoint()
        #expect(read.metadata == model.metadata && read.documents == model.documents)
        #expect(read.tensors.map(\.descriptor) == model.tensors.map(\.descriptor))
        for (one, other) in zip(read.tensors, model.tensors) {
            #expect(try one.bytes() == other.bytes())
        }
    }

    @Test(arguments: [1, 2, 3, 8]) func threadsDoNotChangeTheBytes(count: Int) throws {
        let model = try model(rows: 12_000)
        let bytes = try written(model) { $0.threadCount = count }
        #expect(try bytes == written(model) { $0.threadCount = 1 })
    }

    @Test func weightsOfModelsShrinkByAThird() throws {
        let bytes = try written(model(rows: 8192))
        // 1 MiB of BF16, whose exponents are Huffman coded, and 2 MiB of F32.
        #expect(bytes.count < (1 << 20) * 70 / 100 + (2 << 20) * 88 / 100)
    }

    /// 32 weights of at most 16 values each, as blocks of four bits decode to.
    @Test(arguments: [ScalarType.f16, .f32]) func weightsOfFourBitsShrinkFurther(
        type: ScalarType
    ) throws {
        var generator = SeededGenerator(seed: 13)
        let descriptor = try #require(
            TensorDescriptor(name: "w", shape: [4096, 64], encoding: .scalar(type)))
        let bytes = (0..<4096 * 2).flatMap { _ -> [UInt8] in
            let scale = Float(Float16(0.001 * Float.random(in: 1...2, using: &generator)))
            return (0..<32).flatMap { _ -> [UInt8] in
                let weight = Float(Int(generator.normal() * 2.5)) * scale
                return type == .f32
                    ? withUnsafeBytes(of: weight.bitPattern.littleEndian) { Array($0) }
                    : withUnsafeBytes(of: Float16(weight).bitPattern.littleEndian) { Array($0) }
            }
        }
        let model = Checkpoint(
            path: "model", dialect: .huggingFace,
            tensors: [BufferedTensor(descriptor, bytes: bytes)])
        let file = try written(model)
        #expect(file.count < bytes.count * (type == .f32 ? 30 : 60) / 100)
        let folder = try TemporaryFolder()
        let read = try DTZFile(path: try folder.write(file, to: "m.dtz")).checkpoint()
        #expect(try read.tensors[0].bytes() == bytes)
    }

    /// All rows that can be asked for, where chunks are four blocks.
    @Test func rowsAreThoseOfTheTensor() throws {
        let folder = try TemporaryFolder()
        let vectors = try Vectors(format: "DTZ").valid
        let vector = try #require(vectors.first { $0.path.hasSuffix("/chunks.dtz") })
        let path = try folder.write(MappedFile.contents(ofFile: vector.path), to: "chunks.dtz")
        let tensor = try #require(try DTZFile(path: path).checkpoint().tensors.first)
        let all = try tensor.bytes()
        let size = tensor.descriptor.rowByteCount
        for first in 0...tensor.descriptor.rows {
            for last in first...tensor.descriptor.rows {
                let rows = try tensor.withBytes(rows: first..<last) { [UInt8]($0) }
                #expect(rows == Array(all[first * size..<last * size]))
            }
        }
    }

    /// A tensor is read from its own chunks: pages that hold none of them may not even be looked at, or the
    /// process would end, and the bytes that are left are no more than its frames and the pages around.
    @Test func oneTensorReadsOnlyItsChunks() throws {
        let model = try model(rows: 9000)
        let folder = try TemporaryFolder()
        let file = try DTZFile(path: try folder.write(try written(model), to: "m.dtz"))
        let tensor = try #require(try file.checkpoint().tensors.first)
        let places = file.places(of: 0)
        let page = Int(sysconf(Int32(_SC_PAGESIZE)))
        let first = try #require(places.first).lowerBound / page * page
        let end = try #require(places.last).upperBound
        let last = (end + page - 1) / page * page
        #expect(places.reduce(0) { $0 + $1.count } + 2 * page >= last - first)
        #expect(last < file.file.bytes.count / 2)
        let bytes = UnsafeMutableRawPointer(mutating: try #require(file.file.bytes.baseAddress))
        for range in [0..<first, last..<file.file.bytes.count] where !range.isEmpty {
            #expect(mprotect(bytes + range.lowerBound, range.count, PROT_NONE) == 0)
        }
        #expect(try tensor.bytes() == model.tensors[0].bytes())
    }

    /// Whatever the other tensors' chunks have become, a tensor stays the same.
    @Test func otherTensorsMayBeDamaged() throws {
        let model = try model(rows: 9000)
        var bytes = try written(model)
        let folder = try TemporaryFolder()
        let whole = try DTZFile(path: try folder.write(bytes, to: "whole.dtz"))
        let places = whole.places(of: 1)
        let others = [whole.places(of: 0), whole.places(of: 3)].flatMap(\.self)
        #expect(places.count > 1 && !others.isEmpty)
        for place in others { for byte in place { bytes[byte] = 0xAA } }
        let path = try folder.write(bytes, to: "damaged.dtz")
        let damaged = try DTZFile(path: path).checkpoint()
        #expect(try damaged.tensors[1].bytes() == model.tensors[1].bytes())
        #expect(throws: FormatError.self) { try damaged.tensors[0].bytes() }
    }

    @Test func deltasFromAFineTunedModelAreSmall() throws {
        let base = try model(rows: 4096)
        var tuned = base
        for number in [0, 1] {
            var bytes = try base.tensors[number].bytes()
            for place in stride(from: 0, to: bytes.count, by: 64) { bytes[place] ^= 3 }
            tuned.tensors[number] = BufferedTensor(base.tensors[number].descriptor, bytes: bytes)
        }
        let alone = try written(tuned)
        let bytes = try written(tuned) {
            $0.base = DTZOptions.Base(name: "base", checkpoint: base)
        }
        #expect(bytes.count < alone.count / 4)
        let folder = try TemporaryFolder()
        let path = try folder.write(bytes, to: "delta.dtz")
        let read = try DTZFile(path: path) { name in
            #expect(name == "base")
            return base
        }.checkpoint()
        for (one, other) in zip(read.tensors, tuned.tensors) {
            #expect(try one.bytes() == other.bytes())
        }
        #expect(throws: ModelError.self) { try DTZFile(path: path) }
        let wrong = try DTZFile(path: path) { _ in tuned }.checkpoint()
        #expect(throws: FormatError.self) { try wrong.tensors[0].bytes() }
    }

    @Test(arguments: [1, 3, 19]) func everyLevelIsRead(level: Int) throws {
        let model = try model()
        let folder = try TemporaryFolder()
        let bytes = try written(model) {
            $0.level = level
            $0.isLong = level == 19
        }
        let read = try DTZFile(path: try folder.write(bytes, to: "m.dtz")).checkpoint()
        for (one, other) in zip(read.tensors, model.tensors) {
            #expect(try one.bytes() == other.bytes())
        }
    }
}

/// Whatever happens to a file, it is refused with the name of what is damaged, or read as it was.
@Suite struct DTZDamageTests {
    private func content(_ path: String) throws -> [[UInt8]] {
        let checkpoint = try DTZFile(path: path).checkpoint()
        return try checkpoint.tensors.map { try $0.bytes() }
            + checkpoint.documents.values.map(\.self)
    }

    @Test func everyByteFlippedIsNoticedOrHarmless() throws {
        let folder = try TemporaryFolder()
        let bytes = try written(model(rows: 3))
        let original = try content(try folder.write(bytes, to: "whole.dtz"))
        var harmless = 0
        for place in bytes.indices {
            for mask: UInt8 in place % 3 == 0 ? [0x01, 0xFF] : [0x80] {
                var damaged = bytes
                damaged[place] ^= mask
                let path = try folder.write(damaged, to: "damaged.dtz")
                do {
                    #expect(try content(path) == original, "byte \(place), mask \(mask)")
                    harmless += 1
                } catch let error as FormatError {
                    #expect(!error.subject.isEmpty && error.path != nil)
                }
            }
        }
        // Only frames' checksums may change unnoticed by a reader that has better ones.
        #expect(harmless < bytes.count / 8)
    }

    @Test func everyTruncationIsRefusedAndNamesWhatIsLostWhenSalvaged() throws {
        let folder = try TemporaryFolder()
        let model = try model(rows: 3)
        let bytes = try written(model)
        let start = try #require(
            try DTZFile(path: try folder.write(bytes, to: "whole.dtz")).places(of: 0).first)
        for length in bytes.indices {
            let path = try folder.write(Array(bytes[..<length]), to: "cut.dtz")
            #expect(throws: FormatError.self, "cut to \(length)") { try content(path) }
            guard length >= start.lowerBound else { continue }
            let file = try DTZFile(path: path, isSalvaged: true)
            for (one, other) in zip(try file.checkpoint().tensors, model.tensors) {
                do {
                    #expect(try one.bytes() == other.bytes())
                } catch let error as FormatError {
                    #expect(error.subject.contains(one.descriptor.name))
                }
            }
        }
    }
}
