import ByteIO
import OrderedCollections
import TensorIR

/// What a safetensors header says, after every claim in it has been proven.
package struct SafetensorsHeader {
    /// A tensor and where it starts, in bytes from the start of the file.
    package struct Place {
        package let descriptor: TensorDescriptor
        package let offset: Int
    }

    /// The key that is no tensor.
    package static let metadataKey = "__metadata__"

    package private(set) var metadata: Metadata = [:]
    /// In the order of their bytes.
    package private(set) var places: [Place] = []

    /// Reads the header of a whole file.
    package init(_ bytes: UnsafeRawBufferPointer) throws(FormatError) {
        let text = try SafetensorsHeader.text(of: bytes)
        let json = try JSON(parsing: text, subject: "header", base: 8)
        // The text starts with '{' and parsed, so it is an object.
        let members = json.object ?? [:]
        let locator = KeyLocator(text: text, base: 8)

        var claims: [SafetensorsClaim] = []
        claims.reserveCapacity(members.count)
        for (name, entry) in members {
            if name == ExactString(SafetensorsHeader.metadataKey) {
                metadata = try SafetensorsHeader.strings(entry, locator: locator)
            } else {
                claims.append(
                    try SafetensorsClaim(
                        name: name.string, entry: entry, number: claims.count, locator))
            }
        }
        let dataOffset = 8 + text.count
        places = try SafetensorsHeader.proven(
            claims, dataOffset: dataOffset, dataByteCount: bytes.count - dataOffset)
    }

    /// The bytes of the JSON text, which surely lie inside the file and start with `{`.
    private static func text(
        of bytes: UnsafeRawBufferPointer
    ) throws(FormatError) -> UnsafeRawBufferPointer {
        var reader = ByteReader(bytes, reading: "header size")
        let claimed = try reader.integer(UInt64.self)
        guard claimed <= SafetensorsFile.maximumHeaderByteCount else {
            throw FormatError(
                .limitExceeded, in: "header size", at: 0,
                "claims \(claimed) bytes, the limit is \(SafetensorsFile.maximumHeaderByteCount)")
        }
        reader.subject = "header"
        let text = try reader.take(Int(claimed))
        guard text.first == UInt8(ascii: "{") else {
            throw FormatError(.malformed, in: "header", at: 8, "does not start with '{'")
        }
        return text
    }

    private static func strings(
        _ entry: JSON, locator: KeyLocator
    ) throws(FormatError) -> Metadata {
        // The reference implementation reads null as "no metadata".
        if entry.isNull { return [:] }
        guard let members = entry.object else {
            throw FormatError(
                .malformed, in: metadataKey, at: locator.offset(of: metadataKey),
                "must be an object")
        }
        var metadata: Metadata = [:]
        for (key, value) in members {
            guard let string = value.string else {
                throw FormatError(
                    .malformed, in: metadataKey, at: locator.offset(of: key.string),
                    "the value of '\(key.escapedForDisplay)' must be a string")
            }
            metadata[key] = .string(string)
        }
        return metadata
    }

    /// Turns claims into places, so that no later read of a tensor can fail.
    private static func proven(
        _ claims: [SafetensorsClaim], dataOffset: Int, dataByteCount: Int
    ) throws(FormatError) -> [Place] {
        var places: [Place] = []
        places.reserveCapacity(claims.count)
        // The tensors must cover the data exactly. An overlap would let a small file ask for a lot of
        // memory, and a gap would hide bytes that no reader looks at.
        var cursor = 0
        let ordered = claims.sorted {
            ($0.start, $0.end, $0.number) < ($1.start, $1.end, $1.number)
        }
        for claim in ordered {
            let descriptor = claim.descriptor
            guard claim.start == cursor else {
                let fault =
                    claim.start > cursor ? "leaves a gap after" : "overlaps the tensor before"
                throw claim.failure(
                    .inconsistent, "data starts at \(claim.start), which \(fault) byte \(cursor)")
            }
            // Both differences are safe: `start` is `cursor`, and that never exceeds the data.
            guard claim.end >= claim.start, claim.end - claim.start == descriptor.byteCount else {
                throw claim.failure(
                    .inconsistent,
                    "\(descriptor.encoding) \(descriptor.shape) needs \(descriptor.byteCount) bytes, "
                        + "data_offsets are \(claim.start) and \(claim.end)")
            }
            guard descriptor.byteCount <= dataByteCount - cursor else {
                throw FormatError(
                    .truncated, in: claim.subject, at: dataOffset + cursor,
                    "needs \(descriptor.byteCount) bytes, \(dataByteCount - cursor) remain")
            }
            places.append(Place(descriptor: descriptor, offset: dataOffset + cursor))
            cursor += descriptor.byteCount
        }
        guard cursor == dataByteCount else {
            throw FormatError(
                .inconsistent, in: "tensor data", at: dataOffset + cursor,
                "\(dataByteCount - cursor) bytes at the end belong to no tensor")
        }
        return places
    }
}
