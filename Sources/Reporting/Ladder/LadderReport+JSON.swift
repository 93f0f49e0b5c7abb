import ByteIO
import Evaluation
import OrderedCollections

extension LadderReport {
    /// The document of Formats/Reports/LADDER.md.
    public var json: JSON {
        [
            "schema": .integer(Self.schema), "kind": .string(Self.kind),
            "detent": .string(version),
            "model": model.json, "reference": reference.json,
            "text": [
                "path": .string(text.name), "tokens": .integer(text.tokenCount),
                "sha256": .string(text.digest),
            ],
            "convention": .string(convention.name), "ctx": .integer(convention.context),
            "stride": .integer(convention.stride),
            "chunks": windowLimit.map(JSON.integer) ?? .null,
            "calibration": calibration?.json ?? .null,
            "environment": .object(
                JSON.Members(
                    uniqueKeysWithValues: environment.map { (ExactString($0), .string($1)) })),
            "command": .string(command),
            "entries": .array(entries.map(\.json)),
            "omitted": .array(
                omissions.map {
                    [
                        "type": .string($0.type), "method": .string($0.method),
                        "reason": .string($0.reason),
                    ]
                }),
        ]
    }

    private static let kind = "ladder"

    /// - Parameters:
    ///   - document: the bytes of a `report.json`.
    ///   - path: where they are from, for errors.
    /// - Throws: `FormatError` for what is no such report, or one of another schema.
    public init(parsing document: [UInt8], path: String) throws(FormatError) {
        do throws(FormatError) {
            try self.init(Fields(JSON(parsing: document, subject: "report"), "report"))
        } catch {
            throw error.inFile(path)
        }
    }

    private init(_ fields: Fields) throws(FormatError) {
        let schema = try fields.count("schema")
        guard try fields.string("kind") == Self.kind else {
            throw fields.failure(.inconsistent, "is no report of a ladder")
        }
        guard schema == Self.schema else {
            throw fields.failure(
                .unsupportedVersion, "schema \(schema) is not supported; supported: \(Self.schema)")
        }
        version = try fields.string("detent")
        model = try Source(fields.fields("model"))
        reference = try Source(fields.fields("reference"))
        let text = try fields.fields("text")
        self.text = EvaluationReport.Text(
            name: try text.string("path"), digest: try text.digest("sha256"),
            tokenCount: try text.count("tokens"))
        convention = try Convention(fields)
        windowLimit = try fields.optionalCount("chunks")
        calibration = try fields.optionalFields("calibration").map(Calibration.init)
        environment = [:]
        for (key, value) in try fields.fields("environment").members {
            environment[key.string] = value.string
        }
        command = try fields.string("command")
        entries = []
        for entry in try fields.list("entries") { entries.append(try Entry(entry)) }
        omissions = []
        for omission in try fields.list("omitted") {
            omissions.append(
                Omission(
                    type: try omission.string("type"), method: try omission.string("method"),
                    reason: try omission.string("reason")))
        }
    }
}

extension Optional {
    /// `map` with the transform's own error.
    fileprivate func map<Result, Failure: Error>(
        _ transform: (Wrapped) throws(Failure) -> Result
    ) throws(Failure) -> Result? {
        guard let self else { return nil }
        return try transform(self)
    }
}

extension Convention {
    fileprivate init(_ fields: Fields) throws(FormatError) {
        let (context, stride) = (try fields.count("ctx"), try fields.count("stride"))
        guard (4...1 << 24).contains(context), (1...context).contains(stride) else {
            throw fields.failure(.malformed, "has no 'ctx' and 'stride' of windows")
        }
        switch try fields.string("convention") {
        case "half-window" where stride == context: self = .halfWindow(context: context)
        case "strided": self = .strided(context: context, stride: stride)
        default: throw fields.failure(.malformed, "has no convention that is known")
        }
    }
}

extension LadderReport.Source {
    fileprivate var json: JSON {
        [
            "name": .string(name), "bytes": .integer(byteCount),
            "parameters": .integer(parameterCount), "bits_per_weight": .number(bitsPerWeight),
            "sha256": .string(digest),
        ]
    }

    fileprivate init(_ fields: Fields) throws(FormatError) {
        self.init(
            name: try fields.string("name"), digest: try fields.digest("sha256"),
            byteCount: try fields.count("bytes"), parameterCount: try fields.count("parameters"),
            bitsPerWeight: try fields.figure("bits_per_weight"))
    }
}

extension LadderReport.Calibration {
    fileprivate var json: JSON {
        [
            "name": .string(name), "sha256": .string(digest), "windows": .integer(windowCount),
            "seqlen": .integer(length), "seed": seed.map { .string(String($0)) } ?? .null,
        ]
    }

    fileprivate init(_ fields: Fields) throws(FormatError) {
        let seed = try fields.optionalString("seed")
        if let seed, UInt64(seed) == nil { throw fields.failure(.malformed, "'seed' is no number") }
        self.init(
            name: try fields.string("name"), digest: try fields.digest("sha256"),
            windowCount: try fields.count("windows"), length: try fields.count("seqlen"),
            seed: seed.flatMap(UInt64.init))
    }
}

extension LadderReport.Entry {
    /// Also what is kept of an entry that is done, while others are not.
    public var json: JSON {
        var members: JSON.Members = [
            "type": .string(type), "method": method.map(JSON.string) ?? .null,
            "file": .string(file), "bytes": .integer(byteCount), "sha256": .string(digest),
            "notes": .array(notes.map(JSON.string)),
        ]
        if let quantizingSeconds { members["quantizing_seconds"] = .number(quantizingSeconds) }
        if let evaluatingSeconds { members["evaluating_seconds"] = .number(evaluatingSeconds) }
        members["evaluation"] = evaluation
        members["tensors"] = .array(tensors.map(\.json))
        return .object(members)
    }

    /// - Parameters:
    ///   - json: what `json` gave.
    ///   - subject: what it is of, for errors.
    /// - Throws: `FormatError` for anything else.
    public init(_ json: JSON, subject: String) throws(FormatError) {
        try self.init(Fields(json, subject))
    }

    fileprivate init(_ fields: Fields) throws(FormatError) {
        var tensors: [LadderReport.Tensor] = []
        for tensor in try fields.list("tensors") {
            tensors.append(try LadderReport.Tensor(tensor))
        }
        let type = try fields.string("type")
        guard !type.isEmpty else { throw fields.failure(.malformed, "has an empty 'type'") }
        try self.init(
            type: type, method: fields.optionalString("method"), file: fields.string("file"),
            byteCount: fields.count("bytes"), digest: fields.digest("sha256"), tensors: tensors,
            notes: fields.strings("notes"), evaluation: fields.value("evaluation"))
        quantizingSeconds = try fields.optionalFigure("quantizing_seconds")
        evaluatingSeconds = try fields.optionalFigure("evaluating_seconds")
    }
}

extension LadderReport.Tensor {
    fileprivate var json: JSON {
        var members: JSON.Members = [
            "name": .string(name), "encoding": .string(encoding),
            "shape": .array(shape.map(JSON.integer)), "bytes": .integer(byteCount),
        ]
        if let squares, let errorSquares {
            members["squares"] = .number(squares)
            members["error_squares"] = .number(errorSquares)
        }
        return .object(members)
    }

    fileprivate init(_ fields: Fields) throws(FormatError) {
        self.init(
            name: try fields.string("name"), encoding: try fields.string("encoding"),
            shape: try fields.shape("shape"), byteCount: try fields.count("bytes"),
            squares: try fields.optionalFigure("squares"),
            errorSquares: try fields.optionalFigure("error_squares"))
    }
}

extension LadderReport.Figures {
    init(_ fields: Fields) throws(FormatError) {
        bitsPerWeight = try fields.fields("model").figure("bits_per_weight")
        perplexity = try fields.figure("perplexity")
        perplexityInterval = try fields.interval("perplexity_interval95")
        referencePerplexity = try fields.fields("reference").figure("perplexity")
        ratio = try fields.figure("perplexity_ratio")
        ratioInterval = try fields.interval("perplexity_ratio_interval95")
        let divergences = try fields.fields("kl_divergence")
        // Rounding may leave the mean of no divergence at all just under zero.
        divergence = max(0, try divergences.signedFigure("mean"))
        divergencePercentile99 = max(0, try divergences.signedFigure("p99"))
        divergenceInterval = try divergences.interval("interval95")
        sameTop = try fields.figure("same_top1")
        sameTopInterval = try fields.interval("same_top1_interval95")
        windowCount = try fields.count("windows")
        tokensScored = try fields.count("tokens_scored")
        var blocks: [Double] = []
        for block in try fields.list("blocks") {
            let tokenCount = try block.count("tokens")
            guard tokenCount > 0 else { throw block.failure(.malformed, "has no tokens") }
            blocks.append(
                max(0, try block.signedFigure("kl_divergence")) / Double(tokenCount))
        }
        blockDivergences = blocks
    }
}
