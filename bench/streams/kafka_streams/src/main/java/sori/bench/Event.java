package sori.bench;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.time.Instant;

/** What the windows count by, read in one streaming pass; everything else in the body is skipped. */
final class Event {
    private static final JsonFactory JSON = new JsonFactory();

    String event = "";
    String account = "";
    String activity = "";
    String device = "";
    String platform = "Unknown";
    String country = "Unknown";
    String region = "Unknown";
    String city = "Unknown";
    String campaign = "";
    String material = "";
    long createdMs;

    static Event parse(byte[] body) throws IOException {
        Event read = new Event();
        try (JsonParser parser = JSON.createParser(body)) {
            parser.nextToken();
            while (parser.nextToken() == JsonToken.FIELD_NAME) {
                String name = parser.currentName();
                JsonToken token = parser.nextToken();
                switch (name) {
                    case "event" -> read.event = parser.getText();
                    case "account_id" -> read.account = parser.getText();
                    case "activity_id" -> read.activity = parser.getText();
                    case "device_id" -> read.device = parser.getText();
                    case "platform" -> read.platform = parser.getText();
                    case "created_at" -> read.createdMs = Instant.parse(parser.getText()).toEpochMilli();
                    case "geolocation", "campaign", "material" -> read.nested(name, token, parser);
                    default -> parser.skipChildren();
                }
            }
        }
        return read;
    }

    private void nested(String parent, JsonToken token, JsonParser parser) throws IOException {
        if (token != JsonToken.START_OBJECT) {
            return;
        }
        while (parser.nextToken() == JsonToken.FIELD_NAME) {
            String name = parser.currentName();
            parser.nextToken();
            switch (name) {
                case "viewer_country" -> country = parser.getText();
                case "viewer_region" -> region = parser.getText();
                case "viewer_city" -> city = parser.getText();
                case "id" -> identify(parent, parser.getText());
                default -> parser.skipChildren();
            }
        }
    }

    private void identify(String parent, String id) {
        if (parent.equals("campaign")) {
            campaign = id;
        } else {
            material = id;
        }
    }
}
