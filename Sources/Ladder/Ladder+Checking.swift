import ByteIO
import Conversion
import Evaluation
import ProgressReporting
import Reporting
import TensorIR

extension Ladder {
    /// The rungs that a report has.
    /// - Throws: `ModelError` for a type or a method that this version does not know.
    public static func rungs(of report: LadderReport) throws(ModelError) -> [Rung] {
        var rungs: [Rung] = []
        for entry in report.entries {
            guard let type = FileType(name: entry.type) else {
                throw ModelError("the report's type '\(entry.type.escapedForDisplay)' is not known")
            }
            let method = entry.method.flatMap(QuantizationMethod.init)
            guard (method == nil) == (entry.method == nil), Rung(type, method).method == method
            else {
                throw ModelError(
                    "the report's method '\((entry.method ?? "none").escapedForDisplay)' is not known for "
                        + "\(type.name)")
            }
            rungs.append(Rung(type, method))
        }
        return rungs
    }

    /// Recomputes what a report says and must repeat.
    ///
    /// Files that are there must have the report's bytes; those that are not are made anew, beside the others
    /// and only for as long as it takes. All are evaluated again.
    ///
    /// - Parameters:
    ///   - report: what `folder` holds, which this ladder was set up from.
    ///   - folder: where the report is.
    ///   - remakes: whether files that are there are made anew, too.
    ///   - progress: told of each copy, and of the steps within.
    /// - Returns: what differs, one line each; empty where everything is as it was.
    /// - Throws: what quantizing and evaluating throw.
    public func check(
        _ report: LadderReport, in folder: LadderFolder, remakes: Bool = false,
        progress: some ProgressSink = SilentProgress()
    ) throws -> [String] {
        let work = try LadderWork(self)
        var differences = inputDifferences(report, work)
        // Another text or model explains every other figure.
        guard differences.isEmpty else { return differences }
        for (name, text) in try LadderFolder.pages(report) {
            let path = "\(folder.path)/\(name)"
            let isSame =
                try FileSystem.exists(path)
                && MappedFile.contents(ofFile: path) == Array(text.utf8)
            if !isSame { differences.append("\(name) is not what the report's data render to") }
        }
        try FileSystem.createFolder(folder.state)
        for (rung, entry) in zip(try Self.rungs(of: report), report.entries) {
            let phase = Phase(rung.title, unit: "steps")
            progress.begin(phase, total: 2)
            defer { progress.end(phase) }
            let path = folder.model(rung)
            let isThere = !remakes && FileSystem.exists(path)
            let place = isThere ? path : "\(folder.state)/check-\(rung.fileName)"
            // `defer` has no way to say that it failed; a file that stays is seen by people.
            defer { if !isThere { _ = Result { try FileSystem.remove(place) } } }
            let state =
                isThere
                ? RungState(
                    makingKey: "",
                    digest: try MappedFile(path: path).withBytes(ContentDigest.sha256),
                    seconds: 0, notes: entry.notes)
                : try work.make(rung, at: place, progress)
            progress.advance(phase, by: 1)
            let found = try work.measure(rung, state, in: folder, at: place, progress)
            differences += EntryDifference(entry, found).lines
            progress.advance(phase, by: 1)
        }
        try folder.forgetReference()
        if try FileSystem.names(inFolder: folder.state).isEmpty {
            try FileSystem.removeEmptyFolder(folder.state)
        }
        if !differences.isEmpty, report.version != version {
            differences.append(
                "the report was made by Detent \(report.version.escapedForDisplay), this is \(version)"
            )
        }
        return differences
    }

    private func inputDifferences(_ report: LadderReport, _ work: LadderWork) -> [String] {
        var pairs = [
            ("model", report.model.digest, work.modelDigest),
            ("reference", report.reference.digest, work.referenceDigest),
            ("text", report.text.digest, work.textDigest),
        ]
        if let then = report.calibration, let now = calibration {
            pairs.append(("calibration text", then.digest, now.digest))
        }
        return pairs.filter { $1 != $2 }.map { name, then, now in
            "the \(name) is another: its SHA-256 is \(now), the report's \(then)"
        }
    }
}

/// In what an entry was not found again.
private struct EntryDifference {
    private(set) var lines: [String] = []
    private let file: String

    /// Processors add in different orders, and sums differ in their last digits. What these make of a figure
    /// is far below this share of it; what another file makes is far above.
    private static let tolerance = 1e-4
    /// Of figures that are zero but for rounding.
    private static let leastDifference = 1e-7

    init(_ then: LadderReport.Entry, _ now: LadderReport.Entry) {
        file = then.file
        if then.digest != now.digest {
            lines.append(
                "\(file): the bytes' SHA-256 is \(now.digest), the report's \(then.digest)")
        }
        if then.byteCount != now.byteCount {
            lines.append("\(file): \(now.byteCount) bytes, in the report \(then.byteCount)")
        }
        compare(then.evaluation, now.evaluation, place: "")
        let (old, new) = (then.json["tensors"], now.json["tensors"])
        if let old, let new { compare(old, new, place: "tensors") }
    }

    /// Members that name things, or single tokens of which two may be equally bad.
    private static let exempt: Set<String> = ["path", "notable_tokens"]

    private mutating func compare(_ then: JSON, _ now: JSON, place: String) {
        func add(_ detail: String) { lines.append("\(file): \(place.escapedForDisplay) \(detail)") }
        if let a = then.double, let b = now.double {
            let reach = max(Self.leastDifference, Self.tolerance * max(abs(a), abs(b)))
            if !(abs(a - b) <= reach) { add("is \(b), in the report \(a)") }
        } else if let a = then.object, let b = now.object {
            for (key, value) in a where !Self.exempt.contains(key.string) {
                let inner = place.isEmpty ? key.string : "\(place).\(key.string)"
                compare(value, b[key] ?? .null, place: inner)
            }
        } else if let a = then.array, let b = now.array, a.count == b.count {
            for (index, pair) in zip(a, b).enumerated() {
                compare(pair.0, pair.1, place: "\(place)[\(index)]")
            }
        } else if then != now {
            add("is not what it is in the report")
        }
    }
}
