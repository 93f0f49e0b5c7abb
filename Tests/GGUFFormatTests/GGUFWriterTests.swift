import ByteIO
import GGUFFormat
import TensorIR
import TestSupport
import Testing

@Suite struct GGUFWriterTests {
    static let metadata: Metadata = [
        "general.architecture": .string("llama"), "a.uint8": .uint8(255), "a.int8": .int8(-128),
        "a.uint16": .uint16(65535), "a.int16": .int16(-2), "a.uint32": .uint32(7),
        "a.int32": .int32(-7), "a.uint64": .uint64(.max), "a.int64": .int64(.min),
        "a.float32": .float32(0.1), "a.float64": .float64(-0.1), "a.bool": .bool(true),
        "a.malformed": .malformedString([0xFF, 0x00, 0x80]), "a.empty": .string(""),
        "b.uint8": .array(.uint8([1, 2])), "b.int8": .array(.int8([-1])),
        "b.uint16": .array(.uint16([1])), "b.int16": .array(.int16([-1, 3])),
        "b.uint32": .array(.uint32([1])), "b.int32": .array(.int32([])),
        "b.uint64": .array(.uint64([.max])), "b.int64": .array(.int64([.min])),
        "b.float32": .array(.float32([1.5])), "b.float64": .array(.float64([2.5])),
        "b.bool": .array(.bool([true, false])), "b.string": .array(.string(["", "ä", "\0"])),
        "b.malformed": .array(.malformedString([[0x61], [0xC3], [0x62]])),
        "b.nested": .array(.array([.int32([1]), .array([.string(["x"])]), .array([])])),
    ]

    static func tensors() throws -> [BufferedTensor] {
        try [
            seededTensor("token_embd.weight", [3, 64], .block(.q8_0)),
            seededTensor("a", [5], .scalar(.f32)),
            seededTensor("b", [2, 3, 4, 5], .scalar(.f16)),
            seededTensor("scalar", [], .scalar(.i64)),
            seededTensor("empty", [0, 32], .block(.q4_0)),
            seededTensor("last", [1, 256], .block(.q6_K)),
        ]
    }

    @Test func everythingWrittenComesBack() throws {
        let folder = try TemporaryFolder()
        let path = folder.path("out.gguf")
        let tensors = try Self.tensors()
        try GGUFWriter(
            path: path, metadata: Self.metadata, descriptors: tensors.map(\.descriptor)
        ).writeEverything(tensors)

        let file = try GGUFFile(path: path)
        #expect(file.version == 3)
        #expect(file.metadata == Self.metadata)
        #expect(file.tensors.map(\.descriptor) == tensors.map(\.descriptor))
        #expect(try file.tensors.map { try $0.bytes() } == tensors.map(\.storage))
        #expect(file.tensors.allSatisfy { $0.offset.isMultiple(of: 32) })
        #expect(file.file.bytes.count.isMultiple(of: 32))
        #expect(try folder.names() == ["out.gguf"])
    }

    @Test(arguments: [1, 8, 32, 64, 4096]) func obeysTheAlignment(_ alignment: Int) throws {
        let folder = try TemporaryFolder()
        let tensors = try Self.tensors()
        let metadata: Metadata = ["general.alignment": .uint32(UInt32(alignment))]
        try GGUFWriter(
            path: folder.path("out.gguf"), metadata: metadata,
            descriptors: tensors.map(\.descriptor)
        ).writeEverything(tensors)
        let file = try GGUFFile(path: folder.path("out.gguf"))
        #expect(file.alignment == alignment)
        #expect(file.tensors.allSatisfy { $0.offset.isMultiple(of: alignment) })
        #expect(try file.tensors.map { try $0.bytes() } == tensors.map(\.storage))
    }

    @Test func metadataMayBeStatedLater() throws {
        let folder = try TemporaryFolder()
        let tensors = try Self.tensors()
        var metadata = Self.metadata
        metadata["digest"] = .string("0000")
        let writer = try GGUFWriter(
            path: folder.path("out.gguf"), metadata: metadata,
            descriptors: tensors.map(\.descriptor))
        metadata["digest"] = .string("c0de")
        try writer.replaceMetadata(metadata)
        try writer.writeEverything(tensors)
        let file = try GGUFFile(path: folder.path("out.gguf"))
        #expect(file.metadata == metadata)
        #expect(try file.tensors.map { try $0.bytes() } == tensors.map(\.storage))
    }

    @Test func orderOfWritesLeavesNoTrace() throws {
        let folder = try TemporaryFolder()
        let tensors = try Self.tensors()
        let descriptors = tensors.map(\.descriptor)
        try GGUFWriter(
            path: folder.path("first"), metadata: Self.metadata, descriptors: descriptors
        ).writeEverything(tensors)

        let writer = try GGUFWriter(
            path: folder.path("second"), metadata: Self.metadata, descriptors: descriptors)
        for (index, tensor) in tensors.enumerated().reversed() {
            for row in (0..<tensor.descriptor.rows).reversed() {
                try tensor.withBytes(rows: row..<row + 1) {
                    try writer.write($0, tensor: index, at: row * tensor.descriptor.rowByteCount)
                }
            }
        }
        try writer.finish()
        #expect(
            try MappedFile.contents(ofFile: folder.path("first"))
                == MappedFile.contents(ofFile: folder.path("second")))
    }

    @Test func nothingAppearsBeforeTheEnd() throws {
        let folder = try TemporaryFolder()
        do {
            let writer = try GGUFWriter(
                path: folder.path("out.gguf"), metadata: [:],
                descriptors: Self.tensors().map(\.descriptor))
            #expect(try folder.names().allSatisfy { $0.hasSuffix(".partial") })
            withExtendedLifetime(writer) {}
        }
        #expect(try folder.names().isEmpty)
    }

    @Test(arguments: [
        (
            [TensorDescriptor(name: "x", shape: [2], encoding: .scalar(.bool))],
            "'x': GGUF cannot hold BOOL"
        ),
        ([TensorDescriptor(name: "x", shape: [2], encoding: .scalar(.f8_e4m3))], "F8_E4M3"),
        ([TensorDescriptor(name: "x", shape: [2], encoding: .scalar(.u32))], "U32"),
        (
            [
                TensorDescriptor(
                    name: "x", shape: [128],
                    encoding: .grouped(GroupedAffine(bits: 4, groupSize: 128, offset: .symmetric)))
            ], "INT4"
        ),
        (
            [TensorDescriptor(name: "x", shape: [1, 1, 1, 1, 1], encoding: .scalar(.f32))],
            "5 dimensions"
        ),
        (
            [
                TensorDescriptor(
                    name: String(repeating: "n", count: 64), shape: [1], encoding: .scalar(.f32))
            ], "64 bytes"
        ),
        (
            [
                TensorDescriptor(name: "x", shape: [1], encoding: .scalar(.f32)),
                TensorDescriptor(name: "x", shape: [1], encoding: .scalar(.f32)),
            ], "twice"
        ),
    ]) func refusesWhatTheFormatCannotHold(
        descriptors: [TensorDescriptor?], words: String
    ) throws {
        let folder = try TemporaryFolder()
        let error = #expect(throws: ModelError.self) {
            try GGUFWriter(
                path: folder.path("out"), metadata: [:], descriptors: descriptors.compactMap { $0 })
        }
        #expect(error?.description.contains(words) == true)
        #expect(try folder.names().isEmpty)
    }

    @Test(
        arguments: [
            .uint32(3), .uint32(0), .uint64(32), .string("32"),
        ] as [MetadataValue]) func refusesAnAlignmentThatReadersWouldRefuse(_ value: MetadataValue)
        throws
    {
        let folder = try TemporaryFolder()
        #expect(throws: ModelError.self) {
            try GGUFWriter(
                path: folder.path("out"), metadata: ["general.alignment": value], descriptors: [])
        }
    }

    @Test func splitFilesAreReadAsOneByAnyPart() throws {
        let folder = try TemporaryFolder()
        let tensors = try Self.tensors()
        var metadata = Self.metadata
        metadata["general.alignment"] = .uint32(64)
        let writer = try GGUFWriter(
            path: folder.path("m.gguf"), metadata: metadata, descriptors: tensors.map(\.descriptor),
            maximumShardByteCount: 240)
        try writer.writeEverything(tensors)
        #expect(
            try folder.names() == (1...3).map { "m-0000\($0)-of-00003.gguf" })
        #expect(writer.paths == (try folder.names().map { folder.path($0) }))

        for name in try folder.names() {
            let checkpoint = try GGUFCheckpoint.open(path: folder.path(name))
            #expect(checkpoint.metadata == metadata)
            #expect(checkpoint.tensors.map(\.descriptor) == tensors.map(\.descriptor))
            #expect(try checkpoint.tensors.map { try $0.bytes() } == tensors.map(\.storage))
        }
    }

    @Test func theSameInGGMLNumbersAndBack() {
        let all =
            ScalarType.allCases.map(Encoding.scalar) + BlockEncoding.allCases.map(Encoding.block)
        for encoding in all {
            guard let id = GGMLType.id(of: encoding) else { continue }
            #expect(GGMLType.encoding(of: id) == encoding)
        }
        #expect(BlockEncoding.allCases.allSatisfy { GGMLType.id(of: .block($0)) != nil })
        #expect(GGMLType.id(of: .scalar(.bf16)) == 30)
        #expect(GGMLType.encoding(of: 4) == nil)
    }
}
