import ByteIO
import SafetensorsFormat
import TensorIR
import TestSupport
import Testing

@Suite struct SafetensorsWriterTests {
    /// One tensor of every type; their sizes are odd so that a wrong order would misalign them.
    static func tensors() throws -> [BufferedTensor] {
        try ScalarType.allCases.shuffled(with: 3).map {
            try seededTensor("t.\($0.rawValue)", [3], .scalar($0))
        } + [
            seededTensor("scalar", [], .scalar(.f32)),
            seededTensor("empty", [4, 0], .scalar(.bf16)),
            seededTensor("\u{1F600} \"quoted\"\\\n", [2, 2], .scalar(.f16)),
        ]
    }

    @Test func everythingWrittenComesBack() throws {
        let folder = try TemporaryFolder()
        let tensors = try Self.tensors()
        let metadata: Metadata = ["format": .string("pt"), "ä": .string("\u{0}\n")]
        try SafetensorsWriter(
            path: folder.path("m.safetensors"), descriptors: tensors.map(\.descriptor),
            metadata: metadata
        ).writeEverything(tensors)

        let file = try SafetensorsFile(path: folder.path("m.safetensors"))
        #expect(file.metadata == metadata)
        #expect(Set(file.tensors.map(\.descriptor)) == Set(tensors.map(\.descriptor)))
        for tensor in tensors {
            let found = try #require(
                file.tensors.first { $0.descriptor.name == tensor.descriptor.name })
            #expect(try found.bytes() == tensor.storage)
            #expect(found.offset.isMultiple(of: tensor.descriptor.encoding.bytesPerBlock))
        }
        #expect(try folder.names() == ["m.safetensors"])
    }

    @Test func orderOfWritesAndOfDescriptorsLeavesNoTrace() throws {
        let folder = try TemporaryFolder()
        let tensors = try Self.tensors()
        for (name, order) in [("a", tensors), ("b", tensors.reversed())] {
            try SafetensorsWriter(path: folder.path(name), descriptors: order.map(\.descriptor))
                .writeEverything(order)
        }
        #expect(
            try MappedFile.contents(ofFile: folder.path("a"))
                == MappedFile.contents(ofFile: folder.path("b")))
    }

    /// Columns of a grouped matrix lie across its rows' bytes, in whatever parts those come.
    @Test func groupedMatricesMayComeInParts() throws {
        let folder = try TemporaryFolder()
        let matrix = try seededTensor(
            "layer.weight", [32, 64],
            .grouped(GroupedAffine(bits: 4, groupSize: 32, offset: .symmetric)))
        let size = matrix.storage.count
        for (name, parts) in [("whole", [0..<size]), ("parts", [36..<size, 0..<36])] {
            let writer = try GPTQWriter(
                path: folder.path(name), descriptors: [matrix.descriptor], metadata: [:],
                maximumShardByteCount: nil)
            for part in parts {
                try matrix.storage[part].withUnsafeBytes {
                    try writer.write($0, tensor: 0, at: part.lowerBound)
                }
            }
            try writer.finish()
        }
        #expect(
            try MappedFile.contents(ofFile: folder.path("whole"))
                == MappedFile.contents(ofFile: folder.path("parts")))
    }

    @Test func headerIsThatOfTheReferenceImplementation() throws {
        let folder = try TemporaryFolder()
        let tensors = [
            try seededTensor("b", [1], .scalar(.f16)), try seededTensor("a", [2], .scalar(.f16)),
            try seededTensor("c", [1, 1], .scalar(.f32)),
        ]
        try SafetensorsWriter(path: folder.path("m"), descriptors: tensors.map(\.descriptor))
            .writeEverything(tensors)
        let bytes = try MappedFile.contents(ofFile: folder.path("m"))
        let header =
            #"{"__metadata__":{"format":"pt"},"#
            + #""c":{"dtype":"F32","shape":[1,1],"data_offsets":[0,4]},"#
            + #""a":{"dtype":"F16","shape":[2],"data_offsets":[4,8]},"#
            + #""b":{"dtype":"F16","shape":[1],"data_offsets":[8,10]}}"#
        let padded = header + String(repeating: " ", count: (8 - header.utf8.count % 8) % 8)
        #expect(String(decoding: bytes[8..<8 + padded.utf8.count], as: UTF8.self) == padded)
        #expect(bytes.count == 8 + padded.utf8.count + 10)
    }

    @Test(arguments: [1, 12, 24, 100, 1000]) func shardsAreReadAsOne(_ maximum: Int) throws {
        let folder = try TemporaryFolder()
        let tensors = try Self.tensors()
        try folder.write([1, 2, 3], to: "model.safetensors")
        let writer = try SafetensorsWriter(
            path: folder.path("model.safetensors"), descriptors: tensors.map(\.descriptor),
            maximumShardByteCount: maximum)
        try writer.writeEverything(tensors)
        #expect(try Set(folder.names().map { folder.path($0) }) == Set(writer.paths))

        // A shard holds no more than was asked for, unless one tensor alone is larger.
        for path in writer.paths where path.hasSuffix(".safetensors") {
            let sizes = try SafetensorsFile(path: path).tensors.map(\.descriptor.byteCount)
            #expect(sizes.reduce(0, +) <= maximum || sizes.filter { $0 > 0 }.count == 1)
        }
        for path in writer.paths + [folder.path] {
            let checkpoint = try SafetensorsCheckpoint.open(path: path)
            #expect(checkpoint.metadata == ["format": .string("pt")])
            #expect(Set(checkpoint.tensors.map(\.descriptor)) == Set(tensors.map(\.descriptor)))
            for tensor in checkpoint.tensors {
                let original = tensors.first { $0.descriptor.name == tensor.descriptor.name }
                #expect(try tensor.bytes() == original?.storage)
            }
        }
    }

    @Test func nothingAppearsBeforeTheEnd() throws {
        let folder = try TemporaryFolder()
        do {
            let writer = try SafetensorsWriter(
                path: folder.path("m.safetensors"), descriptors: Self.tensors().map(\.descriptor),
                maximumShardByteCount: 24)
            #expect(try folder.names().allSatisfy { $0.hasSuffix(".partial") })
            withExtendedLifetime(writer) {}
        }
        #expect(try folder.names().isEmpty)
    }

    @Test(arguments: [
        ("x", Encoding.block(.q4_0), "'x': safetensors cannot hold Q4_0"),
        ("__metadata__", .scalar(.f32), "reserves"),
    ]) func refusesWhatTheFormatCannotHold(name: String, encoding: Encoding, words: String) throws {
        let folder = try TemporaryFolder()
        let descriptor = try #require(TensorDescriptor(name: name, shape: [32], encoding: encoding))
        let error = #expect(throws: ModelError.self) {
            try SafetensorsWriter(path: folder.path("m"), descriptors: [descriptor])
        }
        #expect(error?.description.contains(words) == true)
        #expect(throws: ModelError.self) {
            try SafetensorsWriter(path: folder.path("m"), descriptors: [descriptor, descriptor])
        }
        #expect(throws: ModelError.self) {
            try SafetensorsWriter(
                path: folder.path("m"), descriptors: [], metadata: ["a": .uint8(1)])
        }
        #expect(try folder.names().isEmpty)
    }
}

extension Collection {
    fileprivate func shuffled(with seed: UInt64) -> [Element] {
        var generator = SeededGenerator(seed: seed)
        return shuffled(using: &generator)
    }
}
