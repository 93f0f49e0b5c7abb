import ByteIO
import TensorIR

/// One kind of tensor in the files of a family: its name, and which roles it holds.
///
/// Files pack the decoder's matrices differently: a file may keep queries, keys and values in one matrix,
/// all experts in another, or every head's norm by itself.
struct TensorLayout: Sendable {
    enum Content: Sendable, Hashable {
        /// One module; with `{expert}` in the name, that of one expert.
        case whole(TensorRole.Module)
        /// The rows of several modules, one module after another.
        case stacked([TensorRole.Module])
        /// Queries, keys and values by the head that shares them: its query heads, its key, its value.
        case byKeyValueHead
        /// The experts' matrices, outermost dimension the expert.
        case experts(TensorRole.Module)
        /// One row of a module's matrix, the one that `{head}` says.
        case row(TensorRole.Module)
    }

    /// The name without `.weight` or `.bias`; `{layer}`, `{expert}` and `{head}` stand for numbers.
    let pattern: String
    let content: Content
    /// Whether the file holds a matrix of scalars as (inputs, outputs).
    var isTransposed = false
    /// Whether a vector is held as a matrix of one row.
    var isOneRow = false
    /// Whether models of this description have the tensor under this name.
    private(set) var isUsed: @Sendable (DecoderDescription) -> Bool = { _ in true }
    /// Whether the name means this in a file with these tensors.
    private(set) var isMeant: @Sendable (Set<ExactString>) -> Bool = { _ in true }

    init(_ pattern: String, _ content: Content) {
        self.pattern = pattern
        self.content = content
    }

    init(_ pattern: String, _ module: TensorRole.Module) {
        self.init(pattern, .whole(module))
    }

    /// The same tensor, with inputs and outputs exchanged in the file.
    var transposed: TensorLayout {
        var layout = self
        layout.isTransposed = true
        return layout
    }

    /// The same vector, held as a matrix of one row.
    var oneRow: TensorLayout {
        var layout = self
        layout.isOneRow = true
        return layout
    }

    /// The same tensor, for models that meet a condition.
    func when(
        _ condition: @escaping @Sendable (DecoderDescription) -> Bool,
        inFiles isMeant: @escaping @Sendable (Set<ExactString>) -> Bool = { _ in true }
    ) -> TensorLayout {
        var layout = self
        layout.isUsed = condition
        layout.isMeant = isMeant
        return layout
    }

    var modules: [TensorRole.Module] {
        switch content {
        case .whole(let module), .experts(let module), .row(let module): [module]
        case .stacked(let modules): modules
        case .byKeyValueHead: [.query, .key, .value]
        }
    }

    /// Whether there is one such tensor in each layer.
    var isInLayer: Bool { hasHole("layer") }

    /// Whether the name has a hole of this name; no two names of holes start alike.
    private func hasHole(_ name: String) -> Bool {
        zip(pattern.utf8, pattern.utf8.dropFirst()).contains {
            $0 == UInt8(ascii: "{") && $1 == name.utf8.first
        }
    }
}

extension TensorLayout {
    /// Which tensor of the kind it is.
    struct Instance: Sendable, Hashable {
        var layer: Int?
        /// The expert or the head, where the name counts them.
        var index: Int?
        var parameter: TensorRole.Parameter
    }

    /// The instance whose name this is, or nil.
    func instance(named name: String) -> Instance? {
        for parameter in [TensorRole.Parameter.weight, .bias] {
            let (text, suffix) = (name.utf8, parameter.rawValue.utf8)
            let rest = text.dropLast(suffix.count)
            guard text.suffix(suffix.count).elementsEqual(suffix), rest.last == UInt8(ascii: ".")
            else { continue }
            var instance = Instance(parameter: parameter)
            if match(rest.dropLast(), &instance) { return instance }
        }
        return nil
    }

    /// Byte by byte: every name of a file is held against all patterns.
    private func match(_ name: Substring.UTF8View, _ instance: inout Instance) -> Bool {
        var (text, pattern) = (name, pattern.utf8[...])
        while let byte = pattern.popFirst() {
            guard byte == UInt8(ascii: "{") else {
                guard text.popFirst() == byte else { return false }
                continue
            }
            let digits = text.prefix { (0x30...0x39).contains($0) }
            // `Int` would also take "01".
            guard let number = Int(Substring(digits)), digits.first != 0x30 || digits.count == 1
            else { return false }
            text = text.dropFirst(digits.count)
            if pattern.first == UInt8(ascii: "l") {
                instance.layer = number
            } else {
                instance.index = number
            }
            pattern = pattern.drop { $0 != UInt8(ascii: "}") }.dropFirst()
        }
        return text.isEmpty
    }

    func name(of instance: Instance) -> String {
        var name = ""
        var rest = Substring(pattern)
        while let open = rest.firstIndex(of: "{"), let close = rest.firstIndex(of: "}") {
            let number = rest[open...close] == "{layer}" ? instance.layer : instance.index
            name += rest[..<open] + "\(number ?? 0)"
            rest = rest[rest.index(after: close)...]
        }
        return name + rest + ".\(instance.parameter.rawValue)"
    }

    /// The roles that the instance holds, in the order in which it holds them.
    func roles(of instance: Instance, expertCount: Int) -> [TensorRole] {
        let layer = isInLayer ? instance.layer : nil
        switch content {
        case .whole(let module):
            return [
                TensorRole(module, layer: layer, expert: instance.index, instance.parameter)
            ]
        case .experts(let module):
            return (0..<expertCount).map {
                TensorRole(module, layer: layer, expert: $0, instance.parameter)
            }
        case .stacked, .byKeyValueHead, .row:
            return modules.map { TensorRole($0, layer: layer, instance.parameter) }
        }
    }

    /// All instances that a model of this description could have.
    func instances(in description: DecoderDescription) -> [Instance] {
        let layers: [Int?] = isInLayer ? Array(0..<description.layerCount) : [nil]
        let indexCount =
            if hasHole("expert") {
                description.experts?.count ?? 0
            } else if case .row(let module) = content {
                module == .queryNorm ? description.headCount : description.keyValueHeadCount
            } else { 0 }
        let isIndexed = hasHole("expert") || hasHole("head")
        let indices: [Int?] = isIndexed ? Array(0..<indexCount) : [nil]
        return layers.flatMap { layer in
            indices.flatMap { index in
                [TensorRole.Parameter.weight, .bias].map {
                    Instance(layer: layer, index: index, parameter: $0)
                }
            }
        }
    }
}
