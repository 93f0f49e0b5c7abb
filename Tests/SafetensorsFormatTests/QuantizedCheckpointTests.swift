import TensorIR
import Testing

@testable import SafetensorsFormat

/// Small folders in memory, each matrix by hand; whole models are the business of the interop tests.
@Suite struct QuantizedCheckpointTests {
    private static func tensor(
        _ name: String, _ type: ScalarType, _ shape: [Int], _ bytes: [UInt8]
    ) throws -> BufferedTensor {
        let descriptor = try #require(
            TensorDescriptor(name: name, shape: shape, encoding: .scalar(type)))
        return BufferedTensor(descriptor, bytes: bytes)
    }

    private static func checkpoint(
        _ settings: String, _ tensors: [BufferedTensor]
    ) -> Checkpoint {
        Checkpoint(
            path: "folder", dialect: .huggingFace,
            documents: ["config.json": Array("{\(settings)}".utf8)], tensors: tensors)
    }

    /// Halves of 1, 2, 3, … as bytes.
    private static func halves(_ count: Int) -> [UInt8] {
        (1...count).flatMap { value in
            withUnsafeBytes(of: Float16(value).bitPattern.littleEndian) { [UInt8]($0) }
        }
    }

    /// Eight outputs of two inputs: nibble i of a word is output [0, 2, 4, 6, 1, 3, 5, 7][i].
    @Test func wordsOfAWQHoldEightOutputsInterleaved() throws {
        let gathered = try QuantizedCheckpoint.gathered(
            Self.checkpoint(
                #""quantization_config": {"quant_method": "awq", "bits": 4, "group_size": 2}"#,
                [
                    try Self.tensor(
                        "a.qweight", .i32, [2, 1], [0x20, 0x64, 0x31, 0x75, 8, 8, 8, 8]),
                    try Self.tensor("a.qzeros", .i32, [1, 1], [0x21, 0x43, 0x65, 0x87]),
                    try Self.tensor("a.scales", .f16, [1, 8], Self.halves(8)),
                    try Self.tensor("norm.weight", .f16, [1], [0, 0]),
                ]))
        #expect(gathered.tensors.map(\.descriptor.name) == ["a.weight", "norm.weight"])
        let matrix = gathered.tensors[0]
        let encoding = GroupedAffine(bits: 4, groupSize: 2, offset: .zeroPoint)
        #expect(matrix.descriptor.encoding == .grouped(encoding))
        #expect(matrix.descriptor.shape == [8, 2])
        // Each row: scale, zero point, the code of input 0 (the output's number) and of input 1.
        let rows = try matrix.bytes()
        let ones: [UInt8] = [1, 5, 2, 6, 3, 7, 4, 8]
        for row in 0..<8 {
            let group = Array(rows[row * 4..<row * 4 + 4])
            #expect(group[..<2] == Self.halves(8)[row * 2..<row * 2 + 2])
            #expect(group[2] == ones[row])
            #expect(group[3] & 0x0F == UInt8(row))
            #expect(group[3] >> 4 == [8, 8, 0, 0][row % 4])
        }
    }

    @Test func scalesOfAChannelGoBeforeItsFloats() throws {
        let gathered = try QuantizedCheckpoint.gathered(
            Self.checkpoint(
                #""quantization_config": {"quant_method": "compressed-tensors", "format": "float-quantized"}"#,
                [
                    try Self.tensor("a.weight", .f8_e4m3, [2, 3], [1, 2, 3, 4, 5, 6]),
                    try Self.tensor("a.weight_scale", .bf16, [2, 1], [0x80, 0x3F, 0, 0x40]),
                    try Self.tensor("a.input_scale", .bf16, [1], [0, 0]),
                ]))
        #expect(gathered.tensors.count == 1)
        #expect(
            gathered.tensors[0].descriptor.encoding
                == .grouped(GroupedAffine(.e4m3, groupSize: 3, scaleType: .bf16)))
        #expect(
            try gathered.tensors[0].bytes() == [0x80, 0x3F, 1, 2, 3, 0, 0x40, 4, 5, 6])
        #expect(gathered.documents["config.json"] == Array("{}".utf8))
    }

    @Test func signedBytesBecomeCodesWithoutASign() throws {
        let gathered = try QuantizedCheckpoint.gathered(
            Self.checkpoint(
                #""quantization_config": {"quant_method": "compressed-tensors", "format": "int-quantized"}"#,
                [
                    try Self.tensor("a.weight", .i8, [1, 3], [0x80, 0, 0x7F]),
                    try Self.tensor("a.weight_scale", .f32, [1], [0, 0, 0x80, 0x3F]),
                ]))
        #expect(
            try gathered.tensors[0].bytes() == [0, 0, 0x80, 0x3F, 0, 0x80, 0xFF])
    }

    /// Zero points lie along the outputs: eight rows of four bits to a word.
    @Test func zeroPointsOfPackedIntegersLieAlongTheOutputs() throws {
        let codes = (0..<8).flatMap { row in [UInt8](repeating: UInt8(row * 17), count: 4) }
        let gathered = try QuantizedCheckpoint.gathered(
            Self.checkpoint(
                #""quantization_config": {"quant_method": "compressed-tensors", "format": "pack-quantized", "config_groups": {"group_0": {"weights": {"num_bits": 4}}}}"#,
                [
                    try Self.tensor("a.weight_packed", .i32, [8, 1], codes),
                    try Self.tensor(
                        "a.weight_shape", .i32, [2], [8, 0, 0, 0, 8, 0, 0, 0]),
                    try Self.tensor("a.weight_scale", .f16, [8, 1], Self.halves(8)),
                    try Self.tensor(
                        "a.weight_zero_point", .i32, [1, 1], [0x10, 0x32, 0x54, 0x76]),
                ]))
        let bytes = try gathered.tensors[0].bytes()
        for row in 0..<8 { #expect(bytes[row * 7 + 2] == UInt8(row)) }
        #expect(Array(bytes[10..<14]) == [0x11, 0x11, 0x11, 0x11])
    }

    /// Twice as many codes as bytes; a block of GGUF pairs weight i with weight i + 16.
    @Test func codesOfMXFP4TakeTheOrderOfBlocks() throws {
        let codes = (0..<16).map { (byte: Int) -> UInt8 in
            let (low, high) = (byte * 2 % 16, (byte * 2 + 1) % 16)
            return UInt8(low | high << 4)
        }
        let expected: [UInt8] = [125] + (0..<16).map { (i: UInt8) -> UInt8 in i | i << 4 }
        let gathered = try QuantizedCheckpoint.gathered(
            Self.checkpoint(
                #""quantization": {"bits": 4, "group_size": 32, "mode": "mxfp4"}"#,
                [
                    try Self.tensor("a.weight", .u32, [1, 4], codes),
                    try Self.tensor("a.scales", .u8, [1, 1], [125]),
                ]))
        #expect(gathered.tensors[0].descriptor.encoding == .block(.mxfp4))
        #expect(
            try gathered.tensors[0].bytes() == expected)
    }

    @Test func matricesOfMLXWithoutScalesStayAsTheyAre() throws {
        let plain = try Self.tensor("b.weight", .f16, [1, 2], [1, 2, 3, 4])
        let gathered = try QuantizedCheckpoint.gathered(
            Self.checkpoint(
                #""quantization": {"bits": 2, "group_size": 4, "a": {"bits": 4, "group_size": 8}}"#,
                [
                    try Self.tensor("a.weight", .u32, [1, 1], [0x10, 0x32, 0x54, 0x76]),
                    try Self.tensor("a.scales", .f16, [1, 1], [0, 0x3C]),
                    try Self.tensor("a.biases", .f16, [1, 1], [0, 0xC0]), plain,
                ]))
        #expect(
            try gathered.tensors[0].bytes() == [0, 0x3C, 0, 0xC0, 0x10, 0x32, 0x54, 0x76])
        #expect(gathered.tensors[1].descriptor == plain.descriptor)
    }

    @Test(arguments: [
        #""quantization_config": {"quant_method": "bitsandbytes"}"#,
        #""quantization_config": {"quant_method": "awq", "bits": 4}"#,
        #""quantization_config": {"quant_method": "awq", "bits": 8, "group_size": 8}"#,
        #""quantization_config": {"quant_method": "awq", "bits": 4, "group_size": 8, "version": "gemv"}"#,
        #""quantization_config": {"quant_method": "compressed-tensors", "format": "dense"}"#,
        #""quantization": {"mode": "affine"}"#,
        #""quantization": {"bits": 9, "group_size": 8}"#,
        #""quantization": {"bits": 4, "group_size": 16, "mode": "nvfp4"}"#,
        #""quantization": {"bits": 4, "group_size": 16}"#,
    ]) func refuses(settings: String) throws {
        let checkpoint = Self.checkpoint(
            settings,
            [
                try Self.tensor("a.weight", .u32, [1, 1], [0, 0, 0, 0]),
                try Self.tensor("a.scales", .f16, [1, 2], [0, 0, 0, 0]),
            ])
        #expect(throws: ModelError.self) { try QuantizedCheckpoint.gathered(checkpoint) }
    }
}
