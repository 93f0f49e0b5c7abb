import ByteIO
import Evaluation
import Reporting

/// A small report of made-up figures, with something of everything that pages show.
enum SampleLadder {
    static func report() throws -> LadderReport {
        let source = LadderReport.Source(
            name: "tiny <model>", digest: digest("1"), byteCount: 7_346_000,
            parameterCount: 3_600_000,
            bitsPerWeight: 16)
        var report = LadderReport(
            version: "0.1.0", model: source, reference: source,
            text: EvaluationReport.Text(
                name: "held-out.txt", digest: digest("2"), tokenCount: 4096),
            convention: .halfWindow(context: 512), windowLimit: 8,
            calibration: LadderReport.Calibration(
                name: "calibration.txt", digest: digest("3"), windowCount: 32, length: 512,
                seed: .max),
            environment: ["system": "Linux x86_64", "processor": "A | B", "threads": "2"],
            command: "detent report tiny -o ladder")
        report.entries = [
            try entry("f16", nil, 7_400_000, ratio: 1, divergence: 2e-9, sameTop: 1),
            try entry("q8_0", "rtn", 3_970_000, ratio: 1.0002, divergence: 0.0002, sameTop: 0.99),
            try entry("q8_0", "gptq", 3_970_200, ratio: 0.9999, divergence: 0.0001, sameTop: 0.992),
            try entry("q4_0", "rtn", 2_270_000, ratio: 1.0125, divergence: 0.0357, sameTop: 0.86),
            try entry("q4_0", "gptq", 2_270_200, ratio: 1.0016, divergence: 0.018, sameTop: 0.9),
            try entry("q4_0", "awq", 2_270_200, ratio: 1.012, divergence: 0.0344, sameTop: 0.864),
            try entry("q2_k", "rtn", 1_650_000, ratio: 1.11, divergence: 0.23, sameTop: 0.675),
            try entry("q2_k", "gptq", 1_650_200, ratio: 1.05, divergence: 0.124, sameTop: 0.763),
        ]
        report.entries[7].notes = ["2 tensors as Q4_0 in place of Q2_K: rows of 100"]
        report.omissions = [
            LadderReport.Omission(
                type: "tq1_0", method: "gptq", reason: "its codes leave gptq nothing to choose")
        ]
        return report
    }

    private static func digest(_ digit: String) -> String { String(repeating: digit, count: 64) }

    static func entry(
        _ type: String, _ method: String?, _ byteCount: Int, ratio: Double, divergence: Double,
        sameTop: Double
    ) throws(FormatError) -> LadderReport.Entry {
        let bits = Double(byteCount) * 8 / 3_600_000
        func interval(_ value: Double, _ reach: Double) -> JSON {
            [.number(value - reach), .number(value + reach)]
        }
        let evaluation: JSON = [
            "schema": 2, "perplexity": .number(71.5 * ratio),
            "perplexity_interval95": interval(71.5 * ratio, 3), "tokens_scored": 2048, "windows": 8,
            "model": ["bits_per_weight": .number(bits)], "reference": ["perplexity": 71.5],
            "perplexity_ratio": .number(ratio),
            "perplexity_ratio_interval95": interval(ratio, 0.003),
            "kl_divergence": [
                "mean": .number(divergence), "interval95": interval(divergence, divergence * 0.03),
                "p99": .number(divergence * 6),
            ],
            "same_top1": .number(sameTop), "same_top1_interval95": interval(sameTop, 0.004),
            "leakage": ["share": 0.0011, "run_length": 13],
            "blocks": .array(
                (0..<8).map { index in
                    [
                        "tokens": 256, "negative_log_likelihood": 1000,
                        "kl_divergence": .number(divergence * 256 * (0.8 + 0.05 * Double(index))),
                    ]
                }),
        ]
        return try LadderReport.Entry(
            type: type, method: method,
            file: ([type] + [method].compactMap(\.self)).joined(separator: "-") + ".gguf",
            byteCount: byteCount, digest: digest("a"), tensors: tensors(type, method),
            evaluation: evaluation)
    }

    private static func tensors(_ type: String, _ method: String?) -> [LadderReport.Tensor] {
        let bits: [String: Double] = [
            "F16": 16, "Q8_0": 8.5, "Q6_K": 6.5625, "Q4_0": 4.5, "Q2_K": 2.625,
        ]
        let encoding = type.uppercased()
        func tensor(_ name: String, _ encoding: String, _ rows: Int) -> LadderReport.Tensor {
            let count = Double(rows * 256)
            var tensor = LadderReport.Tensor(
                name: name, encoding: encoding, shape: [rows, 256],
                byteCount: Int(count * (bits[encoding] ?? 32) / 8))
            if method != "awq" {
                let error =
                    method == nil ? 0 : count / (bits[encoding] ?? 1) / (method == "rtn" ? 100 : 60)
                (tensor.squares, tensor.errorSquares) = (count, error)
            }
            return tensor
        }
        return [tensor("token_embd.weight", type == "f16" ? encoding : "Q6_K", 8000)]
            + (0..<3).flatMap { layer in
                [
                    tensor("blk.\(layer).attn_q.weight", encoding, 256),
                    tensor(
                        "blk.\(layer).ffn_down.weight",
                        layer == 0 && type != "f16" ? "Q6_K" : encoding, 256),
                    LadderReport.Tensor(
                        name: "blk.\(layer).attn_norm.weight", encoding: "F32", shape: [256],
                        byteCount: 1024),
                ]
            }
    }
}
