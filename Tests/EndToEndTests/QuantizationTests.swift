import BundledData
import ByteIO
import Detent
import Testing

/// A recipe on a little of the bundled calibration text: what is tested is not how good it is.
private func recipe(
    _ method: Recipe.Method, _ encoding: BlockEncoding, threadCount: Int? = nil
) throws -> Recipe {
    var recipe = Recipe(encoding: .block(encoding), method: method)
    recipe.threadCount = threadCount
    let text = try MappedFile.contents(
        ofFile: BundledData.corpusPath("calibration/prose.txt"))
    let tokenizer = try Tokenizer(checkpoint: ModelFile.open(BundledData.defaultModelPath))
    recipe.calibrationWindows = try CalibrationWindows(
        text: text, tokenizer: tokenizer, length: 64, count: 12
    ).ids
    return recipe
}

@Test(arguments: [BlockEncoding.q8_0, .q4_0, .q4_1, .q5_0, .q5_1, .iq4_nl])
func bytesDoNotDependOnTheThreadCountOrTheRun(encoding: BlockEncoding) throws {
    try withFolder { folder in
        for method in [Recipe.Method.rtn, .gptq] {
            var outputs: [[UInt8]] = []
            for threadCount in [1, 2, 2] {
                let path = "\(folder)/\(method)-\(outputs.count).gguf"
                try convert(
                    BundledData.defaultModelPath, to: path,
                    recipe(method, encoding, threadCount: threadCount))
                outputs.append(try MappedFile.contents(ofFile: path))
            }
            #expect(outputs[0] == outputs[1] && outputs[1] == outputs[2])
        }
    }
}

@Test(arguments: [false, true])
func bytesDoNotDependOnWhereActivationsLie(scalesChannels: Bool) throws {
    try withFolder { folder in
        var recipe = try recipe(scalesChannels ? .rtn : .gptq, .q4_0)
        recipe.scalesChannels = scalesChannels
        var outputs: [[UInt8]] = []
        for limit in [nil, 0, 1 << 20] {
            recipe.activationByteLimit = limit
            let path = "\(folder)/\(outputs.count).gguf"
            try convert(BundledData.defaultModelPath, to: path, recipe)
            outputs.append(try MappedFile.contents(ofFile: path))
        }
        #expect(outputs[0] == outputs[1] && outputs[1] == outputs[2])
    }
}

@Test func gptqLeavesLessErrorThanRounding() throws {
    try withFolder { folder in
        let summary = try convert(
            BundledData.defaultModelPath, to: "\(folder)/out.gguf", recipe(.gptq, .q4_0))
        #expect(summary.matrices.count == 4 * 7 + 1)
        #expect(summary.fallbacks.isEmpty)
        for matrix in summary.matrices {
            #expect(
                matrix.report.relativeError < matrix.report.relativeErrorOfRoundingToNearest)
        }
    }
}

@Test func aTiedEmbeddingIsKeptAtSixBits() throws {
    let plan = try ConversionPlan(
        input: ModelFile.open(BundledData.defaultModelPath), outputPath: "unused.gguf",
        recipe: Recipe(encoding: .block(.q4_0)))
    let encodings = Dictionary(
        uniqueKeysWithValues: plan.tensors.map { ($0.target.name, $0.target.encoding) })
    #expect(encodings["token_embd.weight"] == .block(.q6_K))
    #expect(encodings["blk.0.ffn_down.weight"] == .block(.q4_0))
    #expect(encodings["blk.0.attn_norm.weight"] == .scalar(.f32))
}

@Test func theManifestListsEveryCorpusWithItsSize() throws {
    let manifest = try JSON(
        parsing: MappedFile.contents(ofFile: BundledData.corpusPath("Manifest.json")),
        subject: "Manifest.json")
    for corpus in try #require(manifest["corpora"]?.array) {
        var total = 0
        for file in try #require(corpus["files"]?.array) {
            let path = BundledData.corpusPath(try #require(file["path"]?.string))
            #expect(file["bytes"]?.integer == FileSystem.byteCount(path))
            total += try #require(file["bytes"]?.integer)
        }
        #expect(corpus["bytes"]?.integer == total)
    }
}

/// A run this long in two texts is one text quoting the other.
private let sharedRunLength = 8

@Test func heldOutTextSharesNoLongRunOfWordsWithCalibrationText() throws {
    let kinds = ["prose", "dialogue", "technical", "code", "lists-and-numbers", "languages"]
    func runs(_ set: String) throws -> Set<[Substring]> {
        var runs: Set<[Substring]> = []
        for kind in kinds {
            let bytes = try MappedFile.contents(
                ofFile: BundledData.corpusPath("\(set)/\(kind).txt"))
            let words = String(decoding: bytes, as: UTF8.self).lowercased()
                .split { !$0.isLetter && !$0.isNumber }
            for start in 0..<max(0, words.count - sharedRunLength) {
                runs.insert(Array(words[start..<start + sharedRunLength]))
            }
        }
        return runs
    }
    #expect(try runs("calibration").isDisjoint(with: runs("held-out")))
}
