import ArgumentParser
import ByteIO
import Conversion
import TensorIR

/// Turns `quantize --recipe file` and `quantize --replay file` into the options that they stand for.
struct RecipeExpansion {
    /// Behind the command's name.
    let arguments: [String]
    let options: RecipeOptions

    /// - Throws: `RecipeError`, `UsageError`, and what opening the files throws.
    init(_ arguments: [String]) throws {
        let table = OptionTable(QuantizeCommand.self)
        var given = RecipeOptions(arguments: arguments, table: table)
        guard given.values["recipe"] != nil || given.values["replay"] != nil else {
            (self.arguments, options) = (arguments, given)
            return
        }
        var added = RecipeOptions()
        if case .value(let path)? = given.values["replay"] {
            added = try RecipeExpansion.replayed(path, given: &given)
        } else if case .value(let path)? = given.values["recipe"] {
            added = try RecipeOptions(path: path, table: table)
        }
        for (name, value) in added.values where !given.overrules(name) {
            given.values[name] = value
        }
        if case .value(let model)? = added.values["model"], given.paths.count < 2 {
            given.paths.insert(model, at: 0)
        }
        given.values["model"] = nil
        self.arguments = given.arguments(table: table) + given.paths
        options = given
    }

    /// The options in an output's metadata. Files keep the paths of the command line.
    private static func replayed(
        _ path: String, given: inout RecipeOptions
    ) throws -> RecipeOptions {
        let allowed = OptionTable.incidental.union(OptionTable.files).union(["replay"])
        if let other = given.values.keys.sorted().first(where: { !allowed.contains($0) }) {
            throw UsageError("'--\(other)' and '--replay' exclude each other")
        }
        let provenance = try Provenance.required(in: path)
        var options = try RecipeOptions(text: provenance.recipe, subject: "detent.recipe")
        for name in OptionTable.files where given.values[name] == nil {
            guard case .value(let file)? = options.values[name],
                provenance.digests[name] != nil, try !CorpusText.isBundled(file),
                !FileSystem.exists(file)
            else { continue }
            let beside = sibling(file, of: path)
            // Sensitivities that are gone are measured again, with the same result.
            if name == "sensitivity" {
                options.values[name] = nil
            } else if FileSystem.exists(beside) {
                options.values[name] = .value(beside)
            } else {
                throw UsageError(
                    "'\(file.escapedForDisplay)', which '\(path.escapedForDisplay)' was made with, is not here",
                    hint: "add '--\(name) <path>'")
            }
        }
        return options
    }
}

extension RecipeOptions {
    /// Whether an option of a recipe has no say beside these.
    fileprivate func overrules(_ name: String) -> Bool {
        let group = OptionTable.alternatives.first { $0.contains(name) } ?? [name]
        return values.keys.contains(where: group.contains)
    }
}

extension Provenance {
    /// What an output says of its origin.
    static func required(in path: String) throws -> Provenance {
        guard let provenance = Provenance(try ModelFile.open(path).metadata) else {
            throw UsageError("'\(path.escapedForDisplay)' does not say how it was made")
        }
        return provenance
    }
}
