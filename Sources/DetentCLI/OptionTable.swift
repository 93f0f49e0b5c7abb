import ArgumentParser

/// The options of a command, read off its help screen, so that none can be forgotten.
struct OptionTable: Sendable {
    private var valued: Set<String> = []
    private var flags: Set<String> = []
    private var longNames: [String: String] = [:]

    /// Options that may be given several times.
    static let repeatable: Set<String> = ["tensor-type"]
    /// Options that a recipe does not hold: what to do with it, and what every command has.
    static let outside: Set<String> = ["recipe", "replay", "help", "version"]
    /// Options that name files.
    static let files: Set<String> = ["calibration", "imatrix", "sensitivity"]
    /// Options that change nothing in an output.
    static let incidental: Set<String> = ["output", "threads", "quiet", "dry-run", "strict"]
    /// Options that contradict each other.
    static let alternatives: [Set<String>] = [
        ["bits", "type", "target-bpw", "target-size"], ["sym", "asym"], ["imatrix", "calibration"],
    ]

    init(_ command: (some ParsableCommand).Type) {
        for line in command.helpMessage(columns: 1000).split(separator: "\n") {
            let text = line.drop { $0 == " " }
            guard text.hasPrefix("-") else { continue }
            // `-o, --output <path>   The file …`, `--desc-act/--no-desc-act   …`
            let end = text.firstRange(of: "  ")?.lowerBound ?? text.endIndex
            let words = text[..<end].split { " ,/".contains($0) }
            let names = words.filter { $0.hasPrefix("--") }.map { String($0.dropFirst(2)) }
            let takesValue = words.contains { $0.hasPrefix("<") }
            if takesValue { valued.formUnion(names) } else { flags.formUnion(names) }
            for word in words where word.hasPrefix("-") && !word.hasPrefix("--") {
                longNames[String(word)] = names.first.map { "--" + $0 }
            }
        }
    }

    func takesValue(_ name: String) -> Bool { valued.contains(name) }
    func isFlag(_ name: String) -> Bool { flags.contains(name) }

    /// An argument with a short option spelled out.
    func longName(_ argument: String) -> String { longNames[argument] ?? argument }
}
