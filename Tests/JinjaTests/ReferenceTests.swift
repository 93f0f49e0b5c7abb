import ByteIO
import Jinja
import OrderedCollections
import TestSupport
import Testing

/// Templates in the style of the families', and what `jinja2` makes of them (see `render.py`).
@Suite struct ReferenceTests {
    private static let folder = "\(Repository.root)/Tests/JinjaTests"

    private static func document(_ name: String) throws -> JSON {
        try JSON(parsing: MappedFile.contents(ofFile: "\(folder)/\(name)"), subject: name)
    }

    private static let templates: [String] = {
        do {
            return try FileSystem.names(inFolder: "\(folder)/Templates")
        } catch {
            return []
        }
    }()

    @Test(arguments: templates) func rendersWhatJinjaRenders(name: String) throws {
        let path = "\(Self.folder)/Templates/\(name)"
        let template = try JinjaTemplate(
            String(decoding: MappedFile.contents(ofFile: path), as: UTF8.self))
        let expected = try #require(try Self.document("Expected.json")[name]?.object)
        let conversations = try #require(try Self.document("Conversations.json").object)
        for (conversation, json) in conversations {
            guard case .dictionary(var variables) = JinjaValue(json) else { continue }
            variables["strftime_now"] = .function(
                JinjaFunction("strftime_now", ofString: { _ in "21 Nov 2026" }))
            let outcome = expected[conversation]
            if let words = outcome?["raised"]?.string {
                #expect("\(conversation)") {
                    try template.render(variables)
                } throws: { error in
                    (error as? JinjaError)?.code == .raised
                        && (error as? JinjaError)?.detail == words
                }
            } else {
                #expect(
                    try template.render(variables) == outcome?["text"]?.string, "\(conversation)")
            }
        }
    }

    @Test func thereAreTemplates() { #expect(Self.templates.count >= 10) }
}

extension JinjaValue {
    init(_ json: JSON) {
        self =
            switch json {
            case .null: .none
            case .bool(let value): .bool(value)
            case .integer(let value): .integer(value)
            case .number(let value): .number(value)
            case .string(let text): .string(text)
            case .array(let elements): .list(elements.map(JinjaValue.init))
            case .object(let members):
                .dictionary(
                    OrderedDictionary(
                        uniqueKeysWithValues: members.map { ("\($0.key)", JinjaValue($0.value)) }))
            }
    }
}
