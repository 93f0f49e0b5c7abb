import ByteIO
import Jinja
import TestSupport
import Testing

/// Damaged templates render or are refused; none may end the process.
@Test(arguments: 0..<8 as Range<UInt64>) func damagedTemplatesRenderOrThrow(seed: UInt64) throws {
    let folder = "\(Repository.root)/Tests/JinjaTests"
    let conversations = try JSON(
        parsing: MappedFile.contents(ofFile: "\(folder)/Conversations.json"), subject: "JSON")
    guard case .dictionary(let variables) = JinjaValue(try #require(conversations["tools"])) else {
        return
    }
    var mutator = Mutator(seed: seed)
    for name in try FileSystem.names(inFolder: "\(folder)/Templates") {
        var bytes = try MappedFile.contents(ofFile: "\(folder)/Templates/\(name)")
        // Damage adds up, until little is left of the template.
        for _ in 0..<25 {
            bytes = mutator.mutated(bytes).bytes
            do throws(JinjaError) {
                let template = try JinjaTemplate(String(decoding: bytes, as: UTF8.self))
                _ = try template.render(variables)
            } catch {
                #expect(error.line >= 1 && !error.detail.isEmpty)
            }
        }
    }
}
