import TensorIR

/// From a file's tensors to the decoder's matrices and back. Whole rows move, so that this works for
/// every encoding without decoding anything.
extension TensorLayout {
    /// The shape of an instance in the file's own orientation, (outputs, inputs) where `isTransposed`
    /// does not apply.
    func shape(
        of instance: Instance, in description: DecoderDescription
    ) -> [Int] {
        let roles = roles(of: instance, expertCount: description.experts?.count ?? 0)
        let shapes = roles.map(description.shape)
        switch content {
        case .whole: return isOneRow ? [1] + shapes[0] : shapes[0]
        case .experts: return [roles.count] + (shapes.first ?? [])
        case .row: return [shapes[0].last ?? 0]
        case .stacked, .byKeyValueHead:
            return [shapes.reduce(0) { $0 + $1[0] }] + shapes[0].dropFirst()
        }
    }

    /// The matrices in a file's tensor, one for each of the instance's roles.
    ///
    /// - Precondition: the tensor has the instance's shape, (outputs, inputs).
    func unpack(
        _ tensor: any TensorSource, _ instance: Instance, in description: DecoderDescription
    ) throws -> [(TensorRole, any TensorSource)] {
        let roles = roles(of: instance, expertCount: description.experts?.count ?? 0)
        let name = tensor.descriptor.name
        if roles.count == 1 {
            let shape = description.shape(of: roles[0])
            if case .row = content { return [(roles[0], tensor)] }
            return [(roles[0], RenamedTensor(tensor, name: name, shape: shape))]
        }
        var rows = try tensor.elementsAsRows(if: tensor.descriptor.shape.count == 1)
        if content == .byKeyValueHead {
            let heads = HeadOrder(description)
            rows = PermutedTensor(rows) { heads.rowInFile(ofStackedRow: $0) }
        }
        var start = 0
        return try roles.map { role in
            let shape = description.shape(of: role)
            let end = start + shape.dropLast(shape.count - 1).reduce(1, *)
            defer { start = end }
            let part = try SlicedTensor(rows, rows: start..<end)
                .rowsAsElements(if: shape.count == 1)
            return (role, RenamedTensor(part, name: name, shape: shape))
        }
    }

    /// A file's tensor made of the matrices of an instance's roles.
    ///
    /// - Parameters:
    ///   - parts: in the order of `roles(of:expertCount:)`, all in one encoding.
    ///   - instance: which of the file's tensors is made.
    ///   - description: the model's.
    /// - Returns: (outputs, inputs), under the file's name.
    /// - Throws: what reading vectors throws.
    func pack(
        _ parts: [any TensorSource], _ instance: Instance, in description: DecoderDescription
    ) throws -> any TensorSource {
        let name = name(of: instance)
        let shape = shape(of: instance, in: description)
        if case .row = content, let index = instance.index {
            let row = try SlicedTensor(parts[0], rows: index..<index + 1).bytes()
            return BufferedTensor(
                try TensorDescriptor.valid(name, shape, parts[0].descriptor.encoding), bytes: row)
        }
        guard parts.count > 1 else { return RenamedTensor(parts[0], name: name, shape: shape) }
        let isVector = shape.count == 1
        var rows: any TensorSource = StackedTensor(
            try parts.map { try $0.elementsAsRows(if: isVector) })
        if content == .byKeyValueHead {
            let heads = HeadOrder(description)
            rows = PermutedTensor(rows) { heads.stackedRow(ofRowInFile: $0) }
        }
        return RenamedTensor(try rows.rowsAsElements(if: isVector), name: name, shape: shape)
    }
}

/// Where the rows of queries, keys and values stand when they are kept by key-value head.
private struct HeadOrder: Sendable {
    let headSize: Int
    /// Query heads that share a key.
    let queriesPerKey: Int
    let queryRows: Int
    let keyRows: Int

    init(_ description: DecoderDescription) {
        headSize = description.headSize
        queriesPerKey = description.headCount / description.keyValueHeadCount
        queryRows = description.headCount * headSize
        keyRows = description.keyValueHeadCount * headSize
    }

    private var groupRows: Int { (queriesPerKey + 2) * headSize }

    func stackedRow(ofRowInFile row: Int) -> Int {
        let (group, place) = row.quotientAndRemainder(dividingBy: groupRows)
        let queries = queriesPerKey * headSize
        if place < queries { return group * queries + place }
        let (kind, dimension) = (place - queries).quotientAndRemainder(dividingBy: headSize)
        return queryRows + kind * keyRows + group * headSize + dimension
    }

    func rowInFile(ofStackedRow row: Int) -> Int {
        let queries = queriesPerKey * headSize
        if row < queryRows {
            let (group, place) = row.quotientAndRemainder(dividingBy: queries)
            return group * groupRows + place
        }
        let (kind, place) = (row - queryRows).quotientAndRemainder(dividingBy: keyRows)
        let (group, dimension) = place.quotientAndRemainder(dividingBy: headSize)
        return group * groupRows + queries + kind * headSize + dimension
    }
}

extension TensorSource {
    /// A vector of scalars as a matrix of one column, whose rows can move.
    func elementsAsRows(if isVector: Bool) throws -> any TensorSource {
        guard isVector else { return self }
        return BufferedTensor(
            try TensorDescriptor.valid(
                descriptor.name, [descriptor.count, 1], descriptor.encoding),
            bytes: try bytes())
    }

    /// A matrix of one column as a vector.
    func rowsAsElements(if isVector: Bool) throws -> any TensorSource {
        guard isVector else { return self }
        return BufferedTensor(
            try TensorDescriptor.valid(descriptor.name, [descriptor.rows], descriptor.encoding),
            bytes: try bytes())
    }
}

extension TensorDescriptor {
    /// A descriptor, or an error that names the tensor.
    static func valid(
        _ name: String, _ shape: [Int], _ encoding: Encoding
    ) throws(ModelError) -> TensorDescriptor {
        guard let descriptor = TensorDescriptor(name: name, shape: shape, encoding: encoding) else {
            throw ModelError("tensor '\(name)' of shape \(shape) cannot be held as \(encoding)")
        }
        return descriptor
    }
}
