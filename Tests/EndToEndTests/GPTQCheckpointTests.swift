import BundledData
import ByteIO
import Detent
import TestSupport
import Testing

/// All weights of a tensor as floats.
private func weights(_ tensor: any TensorSource) throws -> [Float] {
    let descriptor = tensor.descriptor
    let codec = try RowCodec(descriptor.encoding, columns: descriptor.columns)
    var values = [Float](repeating: 0, count: descriptor.count)
    try tensor.withBytes(rows: 0..<descriptor.rows) { bytes in
        values.withUnsafeMutableBufferPointer { codec.decode(bytes, into: $0) }
    }
    return values
}

private func tensors(_ path: String) throws -> [String: any TensorSource] {
    Dictionary(
        uniqueKeysWithValues: try ModelFile.open(path).tensors.map { ($0.descriptor.name, $0) })
}

/// Four bits in groups of 128 leave about a tenth of a weight's magnitude as error; a wrong order of
/// codes, groups or zero points leaves more than all of it.
private let fourBitError: Float = 0.2

@Test(
    .enabled(if: Repository.hasShared, "needs the material beside the checkout"),
    arguments: ["llama4l-gptq-w4g128-sym", "llama4l-gptq-w4g128-asym"])
func checkpointsOfOthersReadAsTheModelTheyWereMadeFrom(name: String) throws {
    let source = try tensors(Repository.shared("quantized/llama4l-source"))
    let quantized = try tensors(Repository.shared("quantized/\(name)"))
    #expect(Set(source.keys) == Set(quantized.keys))
    for (name, tensor) in quantized where tensor.descriptor.encoding.isQuantized {
        let (x, y) = (try weights(try #require(source[name])), try weights(tensor))
        let error = zip(x, y).reduce(Float(0)) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
        let energy = x.reduce(Float(0)) { $0 + $1 * $1 }
        #expect(error < fourBitError * fourBitError * energy)
    }
}

@Test(arguments: [(2, 64, false), (3, 32, true), (4, 128, true), (4, 64, false), (8, 128, true)])
func aQuantizedFolderReadsBackAsItWasWritten(bits: Int, groupSize: Int, isSymmetric: Bool) throws {
    try withFolder { folder in
        let encoding = GroupedAffine(
            bits: bits, groupSize: groupSize, offset: isSymmetric ? .symmetric : .zeroPoint)
        try convert(
            BundledData.defaultModelPath, to: "\(folder)/out",
            Recipe(encoding: .grouped(encoding), method: .rtn))
        let (source, back) = (
            try tensors(BundledData.defaultModelPath), try tensors("\(folder)/out")
        )
        #expect(Set(source.keys) == Set(back.keys))
        let name = "model.layers.1.mlp.down_proj.weight"
        let (x, y) = (
            try weights(try #require(source[name])), try weights(try #require(back[name]))
        )
        let error = zip(x, y).reduce(Float(0)) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
        let energy = x.reduce(Float(0)) { $0 + $1 * $1 }
        #expect(error < energy * (bits == 2 ? 0.4 : bits == 3 ? 0.1 : 0.03))

        // Reading gathers, writing scatters: together they change no bit.
        try convert("\(folder)/out", to: "\(folder)/model.gguf", Recipe(encoding: .scalar(.f32)))
        let gguf = try tensors("\(folder)/model.gguf")
        #expect(try weights(try #require(gguf["blk.1.ffn_down.weight"])) == y)
    }
}
