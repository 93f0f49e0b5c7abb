import ByteIO
import OrderedCollections
import TensorIR

/// `model.safetensors.index.json`: which file of several holds which tensor.
///
///     {"metadata": {"total_size": 4096},
///      "weight_map": {"model.norm.weight": "model-00001-of-00002.safetensors", …}}
package struct SafetensorsIndex {
    package let path: String
    /// Tensor names to file names, in the index's order.
    package let files: OrderedDictionary<ExactString, String>

    package init(path: String) throws {
        let bytes = try MappedFile.contents(ofFile: path)
        do throws(FormatError) {
            files = try SafetensorsIndex.weightMap(bytes)
        } catch {
            throw error.inFile(path)
        }
        self.path = path
    }

    /// The names of the files in the text of an index.
    package static func fileNames(_ bytes: [UInt8]) throws(FormatError) -> Set<String> {
        Set(try weightMap(bytes).values)
    }

    private static func weightMap(
        _ bytes: [UInt8]
    ) throws(FormatError) -> OrderedDictionary<ExactString, String> {
        let json = try JSON(parsing: bytes, subject: "index")
        guard let map = json["weight_map"] else {
            throw FormatError(.missing, in: "index", at: 0, "has no 'weight_map'")
        }
        guard let members = map.object else {
            throw FormatError(.malformed, in: "weight_map", at: 0, "must be an object")
        }
        var files: OrderedDictionary<ExactString, String> = [:]
        for (tensor, file) in members {
            // An index must not be able to lead the reader out of its folder.
            guard let name = file.string, !name.isEmpty, !name.contains("/"), !name.contains(".."),
                !name.utf8.contains(0)
            else {
                throw FormatError(
                    .malformed, in: "weight_map", at: 0,
                    "tensor '\(tensor.escapedForDisplay)' must map to a plain file name")
            }
            files[tensor] = name
        }
        return files
    }

    /// The files, each once, sorted by name.
    package var fileNames: [String] { Set(files.values).sorted() }

    /// Proves that the index and the file agree on which tensors the file holds.
    package func check(_ file: SafetensorsFile, named name: String) throws(FormatError) {
        for tensor in file.tensors where files[tensor.descriptor.name] != name {
            let expected =
                files[tensor.descriptor.name]
                .map { "in '\($0.escapedForDisplay)'" } ?? "nowhere"
            throw FormatError(
                .inconsistent, in: "tensor '\(tensor.descriptor.name.escapedForDisplay)'",
                at: tensor.offset, "the index has it \(expected)", path: file.file.path)
        }
        let held = Set(file.tensors.map { ExactString($0.descriptor.name) })
        for (tensor, place) in files where place == name && !held.contains(tensor) {
            throw FormatError(
                .missing, in: "tensor '\(tensor.escapedForDisplay)'", at: 0,
                "the index has it in this file, the file does not", path: file.file.path)
        }
    }
}
