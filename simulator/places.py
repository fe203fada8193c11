"""Where viewers live: real cities with rough coordinates (degrees) and people (thousands, rounded), by market."""

from __future__ import annotations

from typing import NamedTuple


class Place(NamedTuple):
    """One city as GeoIP would name it; `people` in thousands only sets its share of the traffic."""

    country: str
    region: str
    city: str
    latitude: float
    longitude: float
    people: int

    @property
    def subject(self) -> str:
        """The name an alert gives this place."""
        return f"{self.country}/{self.region}/{self.city}"


NORTH_AMERICA = (
    Place("United States", "New York", "New York", 40.71, -74.01, 8300),
    Place("United States", "California", "Los Angeles", 34.05, -118.24, 3900),
    Place("United States", "Illinois", "Chicago", 41.88, -87.63, 2700),
    Place("United States", "Texas", "Houston", 29.76, -95.37, 2300),
    Place("United States", "Arizona", "Phoenix", 33.45, -112.07, 1600),
    Place("United States", "Pennsylvania", "Philadelphia", 39.95, -75.17, 1600),
    Place("United States", "Texas", "Dallas", 32.78, -96.80, 1300),
    Place("United States", "Texas", "Austin", 30.27, -97.74, 970),
    Place("United States", "California", "San Francisco", 37.77, -122.42, 810),
    Place("United States", "Washington", "Seattle", 47.61, -122.33, 740),
    Place("United States", "Colorado", "Denver", 39.74, -104.99, 710),
    Place("United States", "Massachusetts", "Boston", 42.36, -71.06, 650),
    Place("United States", "Michigan", "Detroit", 42.33, -83.05, 630),
    Place("United States", "Oregon", "Portland", 45.52, -122.68, 630),
    Place("United States", "Georgia", "Atlanta", 33.75, -84.39, 500),
    Place("United States", "Florida", "Miami", 25.76, -80.19, 440),
    Place("United States", "Minnesota", "Minneapolis", 44.98, -93.27, 430),
    Place("United States", "Michigan", "Ann Arbor", 42.28, -83.74, 120),
    Place("Canada", "Ontario", "Toronto", 43.65, -79.38, 2800),
    Place("Canada", "Quebec", "Montreal", 45.50, -73.57, 1800),
    Place("Canada", "British Columbia", "Vancouver", 49.28, -123.12, 660),
    Place("Canada", "Alberta", "Calgary", 51.05, -114.07, 1300),
)

EAST_ASIA = (
    Place("South Korea", "Seoul", "Seoul", 37.57, 126.98, 9400),
    Place("South Korea", "Busan", "Busan", 35.18, 129.08, 3300),
    Place("South Korea", "Incheon", "Incheon", 37.46, 126.71, 3000),
    Place("South Korea", "Daegu", "Daegu", 35.87, 128.60, 2400),
    Place("South Korea", "Daejeon", "Daejeon", 36.35, 127.38, 1400),
    Place("South Korea", "Gwangju", "Gwangju", 35.16, 126.85, 1400),
    Place("South Korea", "Gyeonggi-do", "Suwon", 37.26, 127.03, 1200),
    Place("South Korea", "Gyeonggi-do", "Seongnam", 37.42, 127.13, 920),
    Place("South Korea", "Gangwon-do", "Chuncheon", 37.88, 127.73, 290),
    Place("South Korea", "Jeju-do", "Jeju City", 33.50, 126.53, 490),
    Place("Japan", "Tokyo", "Tokyo", 35.68, 139.69, 13900),
    Place("Japan", "Kanagawa", "Yokohama", 35.44, 139.64, 3800),
    Place("Japan", "Osaka", "Osaka", 34.69, 135.50, 2700),
    Place("Japan", "Aichi", "Nagoya", 35.18, 136.91, 2300),
    Place("Japan", "Hokkaido", "Sapporo", 43.06, 141.35, 2000),
    Place("Japan", "Fukuoka", "Fukuoka", 33.59, 130.40, 1600),
    Place("Japan", "Kyoto", "Kyoto", 35.01, 135.77, 1400),
    Place("Japan", "Miyagi", "Sendai", 38.27, 140.87, 1100),
)

EUROPE = (
    Place("Germany", "Berlin", "Berlin", 52.52, 13.40, 3700),
    Place("Germany", "Hamburg", "Hamburg", 53.55, 9.99, 1900),
    Place("Germany", "Bavaria", "Munich", 48.14, 11.58, 1500),
    Place("Germany", "North Rhine-Westphalia", "Cologne", 50.94, 6.96, 1100),
    Place("Germany", "Hesse", "Frankfurt am Main", 50.11, 8.68, 770),
    Place("Germany", "Saxony", "Leipzig", 51.34, 12.37, 610),
    Place("Germany", "Baden-Wurttemberg", "Freiburg", 47.99, 7.85, 230),
    Place("France", "Ile-de-France", "Paris", 48.86, 2.35, 2100),
    Place("France", "Provence-Alpes-Cote d'Azur", "Marseille", 43.30, 5.37, 870),
    Place("France", "Auvergne-Rhone-Alpes", "Lyon", 45.76, 4.84, 520),
    Place("France", "Brittany", "Rennes", 48.12, -1.68, 220),
    Place("United Kingdom", "England", "London", 51.51, -0.13, 8900),
    Place("United Kingdom", "England", "Manchester", 53.48, -2.24, 550),
    Place("United Kingdom", "Scotland", "Glasgow", 55.86, -4.25, 630),
    Place("United Kingdom", "Wales", "Cardiff", 51.48, -3.18, 360),
    Place("Spain", "Madrid", "Madrid", 40.42, -3.70, 3300),
    Place("Spain", "Catalonia", "Barcelona", 41.39, 2.17, 1600),
    Place("Spain", "Andalusia", "Seville", 37.39, -5.98, 680),
    Place("Italy", "Lombardy", "Milan", 45.46, 9.19, 1400),
    Place("Italy", "Lazio", "Rome", 41.90, 12.50, 2800),
    Place("Netherlands", "North Holland", "Amsterdam", 52.37, 4.90, 930),
    Place("Poland", "Mazovia", "Warsaw", 52.23, 21.01, 1900),
)

SOUTH = (
    Place("Brazil", "Sao Paulo", "Sao Paulo", -23.55, -46.63, 12300),
    Place("Brazil", "Rio de Janeiro", "Rio de Janeiro", -22.91, -43.17, 6700),
    Place("Brazil", "Minas Gerais", "Belo Horizonte", -19.92, -43.94, 2500),
    Place("Mexico", "Mexico City", "Mexico City", 19.43, -99.13, 9200),
    Place("Mexico", "Jalisco", "Guadalajara", 20.67, -103.35, 1400),
    Place("Argentina", "Buenos Aires", "Buenos Aires", -34.60, -58.38, 3100),
    Place("Colombia", "Bogota", "Bogota", 4.71, -74.07, 7700),
    Place("Chile", "Santiago Metropolitan", "Santiago", -33.45, -70.67, 6200),
    Place("India", "Maharashtra", "Mumbai", 19.08, 72.88, 12500),
    Place("India", "Karnataka", "Bengaluru", 12.97, 77.59, 8400),
    Place("Indonesia", "Jakarta", "Jakarta", -6.21, 106.85, 10600),
    Place("Australia", "New South Wales", "Sydney", -33.87, 151.21, 5300),
    Place("Australia", "Victoria", "Melbourne", -37.81, 144.96, 5100),
    Place("South Africa", "Gauteng", "Johannesburg", -26.20, 28.05, 5600),
)
