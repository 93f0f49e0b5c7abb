import Foundation

/// The model and the texts that come with the package, found at run time.
public enum BundledData {
    /// The folder of the default model: `detent-tiny`, a Llama of 3.7 million parameters.
    public static var defaultModelPath: String { path("detent-tiny") }

    /// A file or folder below `Calibration/Corpora`.
    public static func corpusPath(_ name: String) -> String { path("Corpora/\(name)") }

    private static func path(_ name: String) -> String {
        Bundle.module.bundleURL.appendingPathComponent(name).path
    }
}
