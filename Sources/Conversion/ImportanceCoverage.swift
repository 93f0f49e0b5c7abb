import Architectures
import ByteIO
import Quantization
import TensorIR

/// What an importance matrix from a file says about the matrices that are to be quantized.
public struct ImportanceCoverage: Sendable, Hashable {
    /// Tensors that it has an entry for, of `tensorCount`.
    public internal(set) var coveredCount = 0
    public internal(set) var tensorCount = 0
    /// The output's names of tensors without an entry.
    public internal(set) var missing: [String] = []
    /// Experts that no token reached, by tensor.
    public internal(set) var unreachedExperts: [String: [Int]] = [:]
    /// Entries that are for none of the model's tensors.
    public internal(set) var unusedCount = 0

    /// Whether every matrix has numbers of its own.
    public var isComplete: Bool { missing.isEmpty && unreachedExperts.isEmpty }

    /// What is missing, for people: one line for the tensors, one for each with experts.
    public var gaps: [String] {
        var lines: [String] = []
        if !missing.isEmpty {
            lines.append(
                "the importance matrix says nothing about \(missing.count) of \(tensorCount) "
                    + "tensors: " + missing.joined(separator: ", "))
        }
        for (tensor, experts) in unreachedExperts.sorted(by: { $0.key < $1.key }) {
            lines.append(
                "the importance matrix says nothing about expert\(experts.count > 1 ? "s" : "") "
                    + experts.map(String.init).joined(separator: ", ") + " of \(tensor)")
        }
        return lines
    }
}

extension ConversionPlan {
    /// What the recipe's importance matrix says about the matrices that a pass rounds; nil where there is
    /// none.
    public var importanceCoverage: ImportanceCoverage? {
        guard let matrix = recipe.importance, let model else { return nil }
        var coverage = ImportanceCoverage()
        var used: Set<ExactString> = []
        for role in model.tensors.keys + [TensorRole(.output)] {
            if let name = model.importanceName(of: role) { used.insert(ExactString(name)) }
        }
        coverage.unusedCount = matrix.entries.keys.count { !used.contains($0) }
        for tensor in tensors where isQuantized(tensor) {
            let roles = statisticsRoles(of: tensor)
            guard !roles.isEmpty else { continue }
            coverage.tensorCount += 1
            // A tensor that fuses matrices is covered where each of them is.
            let entries = roles.map { role in
                model.importanceName(of: role).flatMap { matrix.entries[ExactString($0)] }
            }
            guard entries.allSatisfy({ ($0?.reachedCount ?? 0) > 0 }) else {
                coverage.missing.append(tensor.target.name)
                continue
            }
            coverage.coveredCount += 1
            let unreached = zip(roles, entries).compactMap { role, entry in
                role.expert.flatMap { entry?.isReached(matrix: $0) == false ? $0 : nil }
            }
            if !unreached.isEmpty { coverage.unreachedExperts[tensor.target.name] = unreached }
        }
        return coverage
    }

    /// With `isStrict`, refuses an importance matrix with gaps, before any work.
    func checkCoverage() throws(ModelError) {
        guard recipe.isStrict else { return }
        try checkGaps(importanceCoverage?.gaps ?? [])
    }

    /// With `isStrict`, refuses gaps: names the first and counts the others.
    func checkGaps(_ gaps: [String]) throws(ModelError) {
        guard recipe.isStrict, let first = gaps.first else { return }
        throw ModelError(gaps.count > 1 ? "\(first) (and \(gaps.count - 1) more)" : first)
    }
}
