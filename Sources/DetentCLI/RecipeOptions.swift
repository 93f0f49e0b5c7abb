import ByteIO
import Conversion
import Yams

/// Options of `quantize` by their names, as a recipe holds them or a command line gives them.
struct RecipeOptions: Sendable {
    /// An option: `true` or `false` for a flag, one value, or several for an option that may be repeated.
    enum Value: Sendable, Hashable {
        case flag(Bool)
        case value(String)
        case values([String])
    }

    var values: [String: Value] = [:]
    /// The model and the output.
    var paths: [String] = []

    /// What `quantize` runs with: the command line's options and those of its recipe.
    @TaskLocal static var current = RecipeOptions()

    // MARK: Command lines

    /// - Parameters:
    ///   - arguments: behind the command's name.
    ///   - table: the options that there are.
    init(arguments: [String], table: OptionTable) {
        var rest = arguments[...]
        while let argument = rest.popFirst() {
            if argument == "--" {
                paths += rest
                return
            }
            let word = table.longName(argument)
            guard word.hasPrefix("--") else {
                paths.append(argument)
                continue
            }
            let parts = word.dropFirst(2).split(separator: "=", maxSplits: 1).map(String.init)
            let name = parts.first ?? ""
            if !table.takesValue(name) {
                let isNegative = name.hasPrefix("no-") && table.isFlag(String(name.dropFirst(3)))
                values[isNegative ? String(name.dropFirst(3)) : name] = .flag(!isNegative)
            } else if let value = parts.count > 1 ? parts[1] : rest.popFirst() {
                add(value, to: name)
            }
        }
    }

    init() {}

    private mutating func add(_ value: String, to name: String) {
        switch values[name] {
        case .value(let first) where OptionTable.repeatable.contains(name):
            values[name] = .values([first, value])
        case .values(let list): values[name] = .values(list + [value])
        default: values[name] = .value(value)
        }
    }

    /// The options as arguments, in the order of their names.
    func arguments(table: OptionTable) -> [String] {
        values.sorted { $0.key < $1.key }.flatMap { name, value in
            switch value {
            case .flag(true): ["--\(name)"]
            case .flag(false): table.isFlag("no-\(name)") ? ["--no-\(name)"] : []
            case .value(let value): ["--\(name)=\(value)"]
            case .values(let values): values.map { "--\(name)=\($0)" }
            }
        }
    }

    // MARK: JSON

    /// As the metadata of an output have them: sorted by name, on one line.
    var text: String {
        let members = values.sorted { $0.key < $1.key }.map { name, value -> (ExactString, JSON) in
            switch value {
            case .flag(let isSet): (ExactString(name), .bool(isSet))
            case .value(let value): (ExactString(name), .string(value))
            case .values(let values): (ExactString(name), .array(values.map(JSON.string)))
            }
        }
        return JSON.object(JSON.Members(uniqueKeysWithValues: members)).text()
    }

    /// - Throws: `FormatError` for text that is no recipe.
    init(text: String, subject: String) throws {
        let json = try JSON(parsing: Array(text.utf8), subject: subject)
        for (name, value) in json.object ?? [:] {
            switch value {
            case .bool(let isSet): values[name.string] = .flag(isSet)
            case .string(let value): values[name.string] = .value(value)
            case .array(let list): values[name.string] = .values(list.compactMap(\.string))
            default:
                throw FormatError(
                    .inconsistent, in: subject, at: 0,
                    "'\(name.escapedForDisplay)' is no option's value")
            }
        }
    }

    // MARK: YAML

    /// Reads a recipe: a mapping of options to their values.
    ///
    /// - Parameters:
    ///   - path: the file.
    ///   - table: the options that there are.
    /// - Throws: `RecipeError` naming the line, `SystemError`.
    init(path: String, table: OptionTable) throws {
        let bytes = try MappedFile.contents(ofFile: path)
        let root: Node?
        do {
            root = try compose(yaml: String(decoding: bytes, as: UTF8.self))
        } catch {
            throw RecipeError(path: path, line: nil, "\(error)")
        }
        guard let root else { return }
        guard let mapping = root.mapping else {
            throw RecipeError(path: path, line: 1, "is no mapping of options to values")
        }
        for (key, node) in mapping {
            let name = (key.string ?? "").replacing("_", with: "-")
            func failure(_ detail: String) -> RecipeError {
                RecipeError(path: path, line: key.mark?.line, detail)
            }
            let isKnown = name == "model" || table.isFlag(name) || table.takesValue(name)
            guard isKnown, !OptionTable.outside.contains(name) else {
                throw failure("'\(name)' is no option of quantize")
            }
            guard values[name] == nil else { throw failure("'\(name)' stands twice") }
            if table.isFlag(name) {
                guard let isSet = node.bool else { throw failure("'\(name)' is true or false") }
                values[name] = .flag(isSet)
            } else if let sequence = node.sequence {
                guard OptionTable.repeatable.contains(name) else {
                    throw failure("'\(name)' has one value")
                }
                values[name] = .values(sequence.compactMap(\.scalar?.string))
            } else if let scalar = node.scalar?.string {
                values[name] = .value(scalar)
            } else {
                throw failure("'\(name)' has no value")
            }
        }
    }
}

/// What is wrong with a recipe, and where.
struct RecipeError: Error, CustomStringConvertible {
    let description: String

    init(path: String, line: Int?, _ detail: String) {
        let place = line.map { ", line \($0)" } ?? ""
        description = "recipe '\(path.escapedForDisplay)'\(place): \(detail.escapedForDisplay)"
    }
}
