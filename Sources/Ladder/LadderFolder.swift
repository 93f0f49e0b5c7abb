import ByteIO
import Conversion
import Reporting
import TensorIR

/// Where a ladder's files lie.
///
///     report.json  report.md  report.html
///     models/q4_0-gptq.gguf     the copies
///     state/q4_0-gptq.json      what is done about a copy
///     state/reference.states    what the reference's layers ended with, until all is measured
public struct LadderFolder: Sendable {
    public let path: String

    public init(_ path: String) { self.path = path }

    var models: String { "\(path)/models" }
    var state: String { "\(path)/state" }
    var referenceStates: String { "\(state)/reference.states" }

    func model(_ rung: Rung) -> String { "\(models)/\(rung.fileName)" }
    func state(_ rung: Rung) -> String { "\(state)/\(rung.name).json" }

    func create() throws(SystemError) {
        try FileSystem.createFolder(models)
        try FileSystem.createFolder(state)
        // What a process left that was killed is of no use to anybody, and as large as a model.
        for folder in [models, state] {
            for name in try FileSystem.names(inFolder: folder)
            where name.hasPrefix(".") && name.hasSuffix(OutputFile.partialSuffix) {
                try FileSystem.remove("\(folder)/\(name)")
            }
        }
    }

    /// - Throws: `SystemError`, `FormatError`.
    public func report() throws -> LadderReport {
        let path = "\(path)/report.json"
        return try LadderReport(parsing: MappedFile.contents(ofFile: path), path: path)
    }

    /// The three pages, by their names.
    static func pages(_ report: LadderReport) throws -> [(name: String, text: String)] {
        [
            ("report.json", report.json.text(indentation: 2) + "\n"),
            ("report.md", try report.markdownText()), ("report.html", try report.htmlText()),
        ]
    }

    /// Frees what the reference left, which is large and only needed while there is something to measure.
    func forgetReference() throws(SystemError) {
        if FileSystem.exists(referenceStates) { try FileSystem.remove(referenceStates) }
    }

    func write(_ report: LadderReport) throws {
        for (name, text) in try Self.pages(report) { try write(text, to: "\(path)/\(name)") }
    }

    func write(_ text: String, to path: String) throws(SystemError) {
        let file = try OutputFile(path: path)
        try file.write(Array(text.utf8), at: 0)
        try file.commit()
    }
}

/// What is done about one copy, kept beside it.
///
/// Keys are digests of everything that went in: where one is another, the step is done anew.
struct RungState {
    /// Of what the file was made of.
    var makingKey: String
    var digest: String
    var seconds: Double
    var notes: [String]
    /// Of what was evaluated how, and what came of it.
    var measured: (key: String, entry: JSON)?

    private static let schema = 1

    /// Nil for what is no such state, or another version's: it is as if nothing were done.
    init?(_ json: JSON) {
        guard json["schema"]?.integer == Self.schema, let key = json["making_key"]?.string,
            let digest = json["sha256"]?.string, let seconds = json["seconds"]?.double,
            let notes = json["notes"]?.array
        else { return nil }
        (makingKey, self.digest, self.seconds) = (key, digest, seconds)
        self.notes = notes.compactMap(\.string)
        if let key = json["measuring_key"]?.string, let entry = json["entry"] {
            measured = (key, entry)
        }
    }

    init(makingKey: String, digest: String, seconds: Double, notes: [String]) {
        (self.makingKey, self.digest) = (makingKey, digest)
        (self.seconds, self.notes) = (seconds, notes)
    }

    var json: JSON {
        var members: JSON.Members = [
            "schema": .integer(Self.schema), "making_key": .string(makingKey),
            "sha256": .string(digest), "seconds": .number(seconds),
            "notes": .array(notes.map(JSON.string)),
        ]
        if let measured {
            members["measuring_key"] = .string(measured.key)
            members["entry"] = measured.entry
        }
        return .object(members)
    }

    /// What is known of a rung: nil where its file is not there or is not the one that was made.
    static func read(_ rung: Rung, in folder: LadderFolder) throws -> RungState? {
        let (path, model) = (folder.state(rung), folder.model(rung))
        guard FileSystem.exists(path), FileSystem.exists(model) else { return nil }
        let bytes = try MappedFile.contents(ofFile: path)
        let json: JSON
        do {
            json = try JSON(parsing: bytes, subject: "state")
        } catch {
            // Only a person can have changed the file, and its step can be repeated.
            return nil
        }
        guard let state = RungState(json) else { return nil }
        let digest = try MappedFile(path: model).withBytes(ContentDigest.sha256)
        return digest == state.digest ? state : nil
    }
}
