import ByteIO
import TensorIR

/// What a header's entry says about one tensor, well formed but not yet believed.
struct SafetensorsClaim {
    /// Known and of a size that can be stated; whether the file holds it is still open.
    let descriptor: TensorDescriptor
    /// Bytes from the start of the data, as the file has them.
    let start: Int
    let end: Int
    /// The place among the header's entries, which orders tensors without bytes.
    let number: Int
    private let locator: KeyLocator

    init(
        name: String, entry: JSON, number: Int, _ locator: KeyLocator
    ) throws(FormatError) {
        let subject = SafetensorsClaim.subject(name)
        func failure(_ code: FormatError.Code, _ detail: String) -> FormatError {
            FormatError(code, in: subject, at: locator.offset(of: name), detail)
        }
        func member(_ key: String) throws(FormatError) -> JSON {
            guard let value = entry[key] else { throw failure(.missing, "has no '\(key)'") }
            return value
        }
        guard entry.object != nil else { throw failure(.malformed, "must be an object") }

        guard let typeName = try member("dtype").string else {
            throw failure(.malformed, "dtype must be a string")
        }
        guard let type = ScalarType(rawValue: typeName) else {
            let supported = ScalarType.allCases.map(\.rawValue).joined(separator: " ")
            throw failure(
                .unsupportedVersion,
                "dtype '\(typeName.escapedForDisplay)' is not supported; supported: \(supported)")
        }
        guard let shape = try SafetensorsClaim.naturalNumbers(member("shape")) else {
            throw failure(.malformed, "shape must be an array of integers, none of them negative")
        }
        guard let offsets = try SafetensorsClaim.naturalNumbers(member("data_offsets")),
            offsets.count == 2
        else {
            throw failure(.malformed, "data_offsets must be two integers, none of them negative")
        }
        guard
            let descriptor = TensorDescriptor(name: name, shape: shape, encoding: .scalar(type))
        else { throw failure(.limitExceeded, "shape \(shape) is too large") }

        self.descriptor = descriptor
        (start, end) = (offsets[0], offsets[1])
        self.number = number
        self.locator = locator
    }

    var subject: String { SafetensorsClaim.subject(descriptor.name) }

    func failure(_ code: FormatError.Code, _ detail: String) -> FormatError {
        FormatError(code, in: subject, at: locator.offset(of: descriptor.name), detail)
    }

    private static func subject(_ name: String) -> String { "tensor '\(name.escapedForDisplay)'" }

    /// The elements of an array of integers; nil for anything else, `1.0` and 2⁶³ included.
    private static func naturalNumbers(_ json: JSON) -> [Int]? {
        guard let elements = json.array else { return nil }
        var numbers: [Int] = []
        for element in elements {
            guard case .integer(let number) = element, number >= 0 else { return nil }
            numbers.append(number)
        }
        return numbers
    }
}

/// Finds where a key stands in a JSON text, for error messages only.
struct KeyLocator {
    let text: UnsafeRawBufferPointer
    /// Where the text starts in its file.
    let base: Int

    /// The place of the first `"key"`, or of the text where the key is spelled with escapes.
    func offset(of key: String) -> Int {
        let quoted = Array("\"\(key)\"".utf8)
        guard text.count >= quoted.count else { return base }
        let last = text.count - quoted.count
        let place = (0...last).first { start in
            text[start] == quoted[0] && text[start..<start + quoted.count].elementsEqual(quoted)
        }
        return base + (place ?? 0)
    }
}
